"""What is told of jobs, and of what they came to."""

from typing import Any, Literal

from pydantic import BaseModel, Field

__all__ = ["Again", "Agreed", "Change", "Exported", "GoldenAgain", "JobOut", "Made", "Preview", "Tuned"]

Verdict = Literal["OK", "NG", "REVIEW", "ERROR"]


class Again(BaseModel):
    """Two verdicts on one picture: what was said, and what the version says."""

    id: str
    name: str
    verdict: Verdict | None = Field(description="Null where no version is on line to compare with.")
    score: float | None
    new_verdict: Verdict
    new_score: float | None


class Change(Again):
    """A past part that would get another verdict."""

    serial: str | None
    at: str
    label: str | None


class GoldenAgain(Again):
    """A golden picture; its old verdict is that of the version on line, or of the one it is compared with."""

    sha256: str
    expected: Literal["OK", "NG"]
    right: bool = Field(description="Whether the version judges it as it must before it goes on line.")


class Agreed(BaseModel):
    """How many past parts had one verdict and would have another, or the same."""

    verdict: Verdict
    new_verdict: Verdict
    count: int


class Preview(BaseModel):
    """What a version says of past parts and golden pictures."""

    against: str | None = Field(default=None, description="The version compared with; null: what was said.")
    judged: int = Field(description="Past parts; those without a picture, and late ones, are left out.")
    errors: int = Field(description="Changes to ERROR: the version cannot judge what was judged.")
    threshold: float
    old_threshold: float | None = None
    agreement: list[Agreed] = []
    changes: list[Change]
    golden: list[GoldenAgain] = []


class Made(BaseModel):
    """A version that a job made."""

    number: int
    not_promoted: str | None = Field(description="Why it did not go on line, where that was asked for.")


class Exported(BaseModel):
    """The ONNX file of a version."""

    sha256: str
    bytes: int


class Tuned(BaseModel):
    """What the looks that were tried are worth, as `blemish tune` tells it."""

    tuned: dict[str, Any]


class JobOut(BaseModel):
    """A job."""

    id: str
    recipe: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    ask: dict[str, Any]
    step: str
    done: int
    total: int
    error: str | None
    result: Preview | Made | Exported | Tuned | None = Field(description="By kind; null until it is done.")
    version: str | None
    by: str
    at: str
    began: str | None
    ended: str | None
