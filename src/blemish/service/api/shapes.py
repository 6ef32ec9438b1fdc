"""The forms of bodies, for checking what comes and for describing what goes."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from blemish.service.store.recipes import RecipeSettings

__all__ = [
    "GoldenAdd",
    "InspectionOut",
    "JobOut",
    "LabelPut",
    "Name",
    "Page",
    "PreviewAsk",
    "ProblemOut",
    "PromoteAsk",
    "RecipeAdd",
    "RecipeChange",
    "RecipeOut",
    "RollbackAsk",
    "Text",
    "VersionAsk",
    "VersionOut",
]

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""Of a recipe: it stands in addresses."""
Text = Annotated[str, StringConstraints(max_length=500)]
Id = Annotated[str, StringConstraints(max_length=64)]
Number = Annotated[int, Field(ge=0, le=65_535)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Strict(BaseModel):
    """A body in which nothing unknown may stand."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class RecipeAdd(Strict):
    """A new recipe."""

    name: Name
    title: Annotated[str, StringConstraints(max_length=200)] = ""
    number: Number | None = None
    settings: RecipeSettings = RecipeSettings()


class RecipeChange(Strict):
    """What is to be changed; what is not named stays."""

    title: Annotated[str, StringConstraints(max_length=200)] | None = None
    number: Number | None = None
    state: Literal["open", "archived"] | None = None
    settings: dict[str, Any] | None = None


class RecipeOut(BaseModel):
    """A recipe."""

    id: str
    name: str
    number: int | None
    title: str
    state: str
    champion: str | None = Field(description="The version on line, by its id.")
    champion_number: int | None = None
    settings: RecipeSettings
    revision: int
    at: str
    serving: bool = Field(default=False, description="Whether its detector is loaded.")
    failed: str | None = Field(default=None, description="Why it cannot be served.")


class VersionAsk(Strict):
    """A job that makes a new version; nothing goes on line by it unless `promote` says so."""

    kind: Literal["fit", "add", "remove", "calibrate", "tune"]
    parent: Id | None = Field(default=None, description="The version to start from; null: the one on line.")
    inspections: list[Id] = Field(default=[], max_length=1000, description="For add: parts that are good after all.")
    pictures: list[Id] = Field(
        default=[], max_length=10_000, description="For add, calibrate: training pictures, by sha256."
    )
    images: list[Annotated[str, StringConstraints(max_length=300)]] = Field(
        default=[], max_length=10_000, description="For remove: as the model names them."
    )
    false_rejects: Share | None = None
    confidence: Share | None = None
    review: Annotated[float, Field(ge=0, lt=1)] | None = None
    threshold: float | None = None
    options: dict[str, str | int | float | bool] = Field(default={}, max_length=100, description="For fit.")
    why: Text = ""
    promote: bool = Field(default=False, description="Put it on line where the golden pictures pass.")


class PreviewAsk(Strict):
    """Which past results to judge again."""

    last: Annotated[int, Field(ge=1, le=10_000)] = 1000


class PromoteAsk(Strict):
    """Which version goes on line."""

    version: Id
    reason: Text = ""
    force: bool = Field(default=False, description="Also where golden pictures are judged wrongly.")


class RollbackAsk(Strict):
    """Back to the version before."""

    reason: Text = ""


class LabelPut(Strict):
    """What a person says of a verdict."""

    label: Literal["good", "bad", "unsure"]
    note: Text = ""


class GoldenAdd(Strict):
    """An inspection whose picture every version must judge as expected."""

    inspection: Id
    expected: Literal["OK", "NG"]


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


class Page(BaseModel):
    """Inspections, the newest first."""

    items: list[InspectionOut]
    next: str | None = Field(description="The cursor of the next page; null at the end.")


class VersionOut(BaseModel):
    """A version."""

    id: str
    recipe: str
    number: int
    parent: str | None
    kind: str
    sha256: str
    model: str
    info: dict[str, Any]
    by: str
    at: str
    why: str
    on_line: bool


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
    result: Any
    version: str | None
    by: str
    at: str
    began: str | None
    ended: str | None


class ProblemOut(BaseModel):
    """What is wrong with a call (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[dict[str, Any]] | None = None
