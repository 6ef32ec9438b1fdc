"""Which options of `fit` may come over HTTP: none that names a file or a folder of the station's machine."""

import re
from collections.abc import Mapping
from typing import Any

from blemish.errors import OptionError
from blemish.options.settings import divide_options
from blemish.service.problems import Problem
from blemish.service.store.recipes import RecipeSettings

__all__ = ["AREAS", "check_options", "check_settings"]

PATHS = ("checkpoint", "encoder", "spill_folder")
AREAS = ("ignore", "include")
"""These are settings of a recipe by themselves."""
NUMBERS = re.compile(r"[\d\s.,;x-]+")
"""What a rectangle or a polygon is written in; anything else would be a file."""


def check_settings(settings: RecipeSettings) -> None:
    """Raise Problem (invalid) for options that a recipe cannot have, and for areas that are not in numbers."""
    check_options(settings.options, at="/settings")
    for name in AREAS:
        for area in getattr(settings, name):
            if not NUMBERS.fullmatch(area):
                said = f"The area {area!r} is not in numbers; give x,y,WIDTHxHEIGHT or x,y x,y x,y."
                raise _invalid(f"/settings/{name}", said)


def check_options(options: Mapping[str, Any], *, at: str = "") -> None:
    """Raise Problem (invalid) for what `fit` would not take, and for options that are files; they stand below `at`."""
    for name, value in options.items():
        if name in PATHS:
            said = f"The option {name} is a file of the station's machine; it cannot be set from here."
            raise _invalid(f"{at}/options/{name}", said)
        if name in AREAS:
            raise _invalid(f"{at}/options/{name}", f"The option {name} is a setting of the recipe; set it there.")
        if isinstance(value, str) and _is_file(value):
            said = f"The option {name} names a file ({value!r}); name what is installed."
            raise _invalid(f"{at}/options/{name}", said)
    try:
        divide_options(options)
    except OptionError as error:
        raise _invalid(f"{at}/options", str(error)) from None


def _is_file(value: str) -> bool:
    return "/" in value or "\\" in value or value.lower().endswith(".onnx")


def _invalid(pointer: str, sentence: str) -> Problem:
    return Problem("invalid", sentence, errors=[{"pointer": pointer}])
