"""What is told of recipes and their versions."""

from typing import Any

from pydantic import BaseModel, Field

from blemish.service.store.recipes import RecipeSettings

__all__ = ["Misses", "RecipeOut", "Suspect", "VersionInfo", "VersionOut"]


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


class Misses(BaseModel):
    """Of the parts that people called really bad."""

    bad: int
    missed: int = Field(description="How many had been let through as OK.")


class Suspect(BaseModel):
    """A training picture that scores like a defect."""

    name: str
    score: float
    shown: str | None = Field(default=None, description="The name that it came by.")


class VersionInfo(BaseModel):
    """What is known of a version's model."""

    method: str
    images: int = Field(description="Pictures in its memory.")
    threshold: float
    calibration: dict[str, Any] = Field(description="What the threshold rests on, as `blemish info --json` has it.")
    promise: str
    size: tuple[int, int] = Field(description="Height and width that pictures are brought to.")
    notes: list[str]
    suspects: list[Suspect]
    held_out: list[float] = Field(description="Scores of good pictures that the memory has not seen.")


class VersionOut(BaseModel):
    """A version."""

    id: str
    recipe: str
    number: int
    parent: str | None
    kind: str
    sha256: str
    model: str
    info: VersionInfo
    by: str
    at: str
    why: str
    on_line: bool
