"""What is told of training pictures and golden ones."""

from typing import Any, Literal

from pydantic import BaseModel, Field

__all__ = ["FindingOut", "GoldenJudged", "GoldenOut", "SentOut", "TrainingOut"]


class TrainingOut(BaseModel):
    """A good picture that the next fit learns from."""

    seq: int
    sha256: str
    suffix: str
    name: str
    part: str | None
    facts: dict[str, Any] = Field(description="Size, colours and brightness, as they were read when it came.")
    by: str
    at: str


class SentOut(BaseModel):
    """What became of a picture that was sent."""

    name: str
    state: Literal["added", "known", "refused"]
    sha256: str | None
    error: str | None = Field(description="Why it was refused.")
    facts: dict[str, Any] | None = None


class Named(BaseModel):
    """A picture by its name."""

    sha256: str
    name: str


class FindingOut(BaseModel):
    """Something that the doctor says of training pictures."""

    name: str
    mend: bool = Field(description="Whether it should be seen to before teaching.")
    sentence: str
    pictures: list[list[Named]] = Field(description="What it is about, in groups, such as copies of each other.")


class GoldenOut(BaseModel):
    """A picture whose verdict is known."""

    id: str
    sha256: str
    suffix: str
    name: str
    expected: Literal["OK", "NG"]
    by: str
    at: str


class GoldenJudged(GoldenOut):
    """What the version on line says of a golden picture."""

    verdict: Literal["OK", "NG", "REVIEW", "ERROR"]
    score: float | None
    error: str | None
    right: bool
