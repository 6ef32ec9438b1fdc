"""What is told of parts that were judged."""

from typing import Literal

from pydantic import BaseModel, Field

__all__ = ["Box", "HourOut", "InspectionOut", "LabelOut", "Nearest", "Page", "Place", "RegionOut"]


class Box(BaseModel):
    """A rectangle, in pixels of the picture as it came."""

    x: int
    y: int
    width: int
    height: int


class Place(BaseModel):
    """A pixel of the picture that was judged."""

    x: int
    y: int


class Nearest(BaseModel):
    """The good patch that is nearest to one of the part."""

    path: str = Field(description="The training picture, as the model names it.")
    x: int
    y: int
    distance: float
    at: Place


class RegionOut(BaseModel):
    """A place where the part deviates."""

    box: Box
    area: int
    score: float
    outline: list[tuple[int, int]] | None = Field(default=None, description="Its corners, with detail=full.")
    nearest: list[Nearest] | None = Field(default=None, description="The farthest first, with detail=full.")


class InspectionOut(BaseModel):
    """The answer for one part."""

    id: str
    seq: int
    recipe: str
    version: str
    version_number: int | None
    model_sha256: str | None
    verdict: Literal["OK", "NG", "REVIEW", "ERROR"]
    score: float | None
    threshold: float | None
    review_threshold: float | None
    times_threshold: float | None = Field(
        description="The score as a multiple of the threshold; null where the score has no zero, as of joined looks."
    )
    percentile: float | None
    regions: list[RegionOut]
    serial: str | None
    group: str | None
    trigger: str | None
    name: str
    kind: str = Field(
        description="How it came: api (one call), v2 (one call, by KServe's protocol), batch, or try (a try-out)."
    )
    source: str
    at: str
    timings_ms: dict[str, float]
    recorded: bool
    late: bool
    error: str | None
    note: str | None
    label: str | None
    image: str = Field(description="Of its picture: pending, stored, lost, expired or off.")
    image_sha256: str
    links: dict[str, str]


class HourOut(BaseModel):
    """How many parts had a verdict in an hour."""

    hour: str = Field(description="As 2026-11-28T04, in UTC.")
    verdict: str
    count: int


class LabelOut(BaseModel):
    """What somebody said of a verdict."""

    label: Literal["good", "bad", "unsure"] | None = Field(description="Null where it was taken back.")
    note: str
    by: str
    at: str


class Page(BaseModel):
    """Inspections, the newest first."""

    items: list[InspectionOut]
    next: str | None = Field(description="The cursor of the next page; null at the end.")
