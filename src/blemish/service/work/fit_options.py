"""Which options of `fit` may come over HTTP: none that names a file or a folder of the station's machine."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from blemish.errors import OptionError
from blemish.options.settings import divide_options
from blemish.service.problems import Problem

__all__ = ["check_options"]

PATHS = ("checkpoint", "encoder", "spill_folder")
AREAS = ("ignore", "include")
"""These are settings of a recipe by themselves."""
NUMBERS = re.compile(r"[\d\s.,;x-]+")
"""What a rectangle or a polygon is written in; anything else would be a file."""


def check_options(options: Mapping[str, Any], *areas: Iterable[str]) -> None:
    """Raise Problem (invalid) for what `fit` would not take, for options that are files, and areas not in numbers."""
    for name, value in options.items():
        if name in PATHS:
            raise _invalid(name, f"The option {name} is a file of the station's machine; it cannot be set from here.")
        if name in AREAS:
            raise _invalid(name, f"The option {name} is a setting of the recipe; set it there.")
        if isinstance(value, str) and _is_file(value):
            raise _invalid(name, f"The option {name} names a file ({value!r}); name what is installed.")
    try:
        divide_options(options)
    except OptionError as error:
        raise Problem("invalid", str(error), errors=[{"pointer": "/options"}]) from None
    for area in (area for some in areas for area in some):
        if not NUMBERS.fullmatch(area):
            raise _invalid("areas", f"The area {area!r} is not in numbers; give x,y,WIDTHxHEIGHT or x,y x,y x,y.")


def _is_file(value: str) -> bool:
    return "/" in value or "\\" in value or value.lower().endswith(".onnx")


def _invalid(name: str, sentence: str) -> Problem:
    return Problem("invalid", sentence, errors=[{"pointer": f"/options/{name}"}])
