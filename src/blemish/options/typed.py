"""The text forms of options: what people may type, brought to what the setting holds, with the types that fit takes."""

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field

from blemish.options.looks import checked_looks
from blemish.options.takes import Takes

__all__ = [
    "Areas",
    "Bytes",
    "CoresetSize",
    "Distance",
    "InputSize",
    "Looks",
    "NoData",
    "OptionalPath",
    "PixelRange",
    "Taps",
    "TileSide",
    "Whole",
]

SMALLEST, LARGEST, SMALLEST_TILE = 32, 8192, 64
"""Sides of the network's input, and of tiles, in pixels."""
None_ = Literal["none"] | None


def _share_or_rows(value: object) -> object:
    """Accept "1%" beside 0.01, and "5000" beside 5000."""
    if not isinstance(value, str):
        return value
    number = float(value.removesuffix("%"))
    return number / 100 if value.endswith("%") else number


def _share_or_whole(value: float) -> float:
    """A percentage above 100 is not a whole number of rows: 200% would be 2 rows."""
    if value <= 0 or (value > 1 and not value.is_integer()):
        raise ValueError("neither a share nor a number of rows")
    return value


def _at_most_all(value: object) -> object:
    if isinstance(value, str) and value.endswith("%") and float(value[:-1]) > 100:
        raise ValueError("more than all")
    return value


def _none_by_word(value: object) -> object:
    """Accept the word "none", so that the command line can take back what a preset sets."""
    return None if value == "none" else value


def _listed(value: object) -> object:
    """Accept "layer2,layer3" or "2,3" beside a list, and "none" for an empty one."""
    if value == "none":
        return []
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _areas(value: object) -> object:
    """Accept several areas in one text, divided by semicolons, and "none" for no area."""
    if value == "none":
        return []
    if isinstance(value, str | PathLike):
        return [area.strip() for area in fspath(value).split(";") if area.strip()]
    return (
        [fspath(area) if isinstance(area, PathLike) else area for area in value]
        if isinstance(value, list | tuple)
        else value
    )


def _sides(value: object) -> object:
    """Accept "320x256" (height x width) beside 256 and (320, 256)."""
    if isinstance(value, str) and "x" in value:
        return tuple(value.split("x"))
    return value


def _pair(value: object) -> object:
    """Accept "0,4095" beside (0, 4095), and the word "none"."""
    return None if value == "none" else _listed(value)


Side = Annotated[int, Field(ge=SMALLEST, le=LARGEST)]
InputSize = Annotated[
    Literal["auto", "native"] | Side | tuple[Side, Side],
    BeforeValidator(_sides, json_schema_input_type=int | tuple[int, int] | str),
    Takes(
        f"auto, native, a number from {SMALLEST} to {LARGEST} (224), or height x width in that range (320x256)",
        "auto|native|AREA|HxW",
    ),
]
TileSide = Annotated[
    Literal["auto"] | Annotated[int, Field(ge=SMALLEST_TILE, le=LARGEST)] | None,
    BeforeValidator(_none_by_word, json_schema_input_type=int | Literal["auto"] | None_),
    Takes(f"auto, or a number of pixels from {SMALLEST_TILE} to {LARGEST}", "auto|SIDE"),
]
CoresetSize = Annotated[
    float,
    BeforeValidator(_share_or_rows, json_schema_input_type=float | str),
    BeforeValidator(_at_most_all),
    AfterValidator(_share_or_whole),
    Takes("a share above 0 and up to 1 (0.01, 1%), or a whole number of rows (5000)", "SHARE|ROWS"),
]
Looks = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed, json_schema_input_type=Sequence[str] | str),
    AfterValidator(checked_looks),
    Takes("looks divided by commas, each SIDE:TAP+TAP (448:3+4,224:2+3), whose sides divide the largest", "LOOK,..."),
]
Taps = Annotated[
    tuple[str | int, ...],
    BeforeValidator(_listed, json_schema_input_type=Sequence[str | int] | str),
    Takes("names or levels divided by commas (2,3)", "NAME,..."),
]
Areas = Annotated[
    tuple[str, ...],
    BeforeValidator(_areas, json_schema_input_type=Sequence[str | PathLike[str]] | PathLike[str] | str),
    Takes("areas divided by semicolons (10,20,300x200), or a labelme .json or mask image", "AREA;..."),
]
NoData = Annotated[
    float | Literal["auto"],
    Takes("auto, or the value of pixels that were not measured (-9999)", "auto|VALUE"),
]
PixelRange = Annotated[
    tuple[float, float] | None,
    BeforeValidator(_pair, json_schema_input_type=tuple[float, float] | str | None),
    Takes("the darkest and the brightest value, divided by a comma (0,4095)", "LOW,HIGH"),
]
Whole = Annotated[int | None, BeforeValidator(_none_by_word, json_schema_input_type=int | None_)]
Distance = Annotated[float | None, BeforeValidator(_none_by_word, json_schema_input_type=float | None_)]
OptionalPath = Annotated[Path | None, BeforeValidator(_none_by_word, json_schema_input_type=str | PathLike[str] | None)]
Bytes = Annotated[
    ByteSize | None,
    BeforeValidator(_none_by_word, json_schema_input_type=int | str | None),
    Takes("a size with its unit (2GB, 500MB)", "SIZE"),
]
