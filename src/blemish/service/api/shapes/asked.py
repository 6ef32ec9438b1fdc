"""Bodies of calls."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from blemish.service.store.recipes import RecipeSettings

__all__ = [
    "GoldenAdd",
    "LabelPut",
    "Name",
    "PreviewAsk",
    "PromoteAsk",
    "RecipeAdd",
    "RecipeChange",
    "RollbackAsk",
    "Strict",
    "Text",
    "VersionAsk",
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
    """Which past results to judge again, and what to compare with; golden pictures are always judged."""

    last: Annotated[int, Field(ge=1, le=10_000)] = 1000
    against: Id | None = Field(
        default=None, description="Another version, which judges them again as well; null: what was said of them."
    )


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
