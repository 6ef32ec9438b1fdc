"""What is told of parts that were judged."""

from typing import Any, Literal

from pydantic import BaseModel, Field

__all__ = ["HourOut", "InspectionOut", "LabelOut", "Page"]


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
    regions: list[dict[str, Any]]
    serial: str | None
    group: str | None
    trigger: str | None
    name: str
    kind: str
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
