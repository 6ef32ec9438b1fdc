"""One good image, as the model remembers it."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = ["TrainingImage"]


def _writable(text: Any) -> Any:
    return text.encode("utf-8", "backslashreplace").decode() if isinstance(text, str) else text


Text = Annotated[str, BeforeValidator(_writable)]
"""As JSON can hold it: file names that are no Unicode, which Linux allows, are escaped."""


class TrainingImage(BaseModel):
    """One good image the model was fitted on, or its thresholds rest on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Text
    group: Text
    height: int
    width: int
    pixels: str = ""
    """The sha256 of its pixels as the network saw them; empty where the model is older than that."""
    motion: Annotated[tuple[float, ...], Field(min_length=6, max_length=6)] | None = None
    """From pixels of the aligned image to its own: a 2 x 3 matrix, row by row; None where it was not aligned."""
    end: float | None = None
    """The share of its last rows or columns that hold one constant value; None where the model is older than that."""
    measured: float | None = None
    """The share of its pixels that was measured; None likewise."""
    in_memory: bool = True
    """Whether the model was fitted on it; if not, it was kept from the memory to calibrate on."""
    suspect: float | None = None
    """Its score by a memory without it, where that looks like a defect's; None where it does not."""
