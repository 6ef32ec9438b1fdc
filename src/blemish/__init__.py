"""blemish learns what a good part looks like and finds, scores and outlines whatever deviates.

detector = blemish.fit("good/")
result = detector.inspect("part.png")
result.verdict, result.score, result.anomaly_map
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from blemish.calibrating import calibrate
    from blemish.detector import Detector, load
    from blemish.errors import (
        BackboneError,
        BlemishError,
        DataError,
        ImageError,
        ModelFileError,
        OptionError,
        ProviderError,
        TrainingError,
    )
    from blemish.fitting import fit
    from blemish.options.settings import Settings
    from blemish.reports.table import table
    from blemish.result import Box, Nearest, Region, Result, Verdict

__all__ = [
    "BackboneError",
    "BlemishError",
    "Box",
    "DataError",
    "Detector",
    "ImageError",
    "ModelFileError",
    "Nearest",
    "OptionError",
    "ProviderError",
    "Region",
    "Result",
    "Settings",
    "TrainingError",
    "Verdict",
    "calibrate",
    "fit",
    "load",
    "table",
]

_HOMES = {
    "calibrating": ("calibrate",),
    "detector": ("Detector", "load"),
    "errors": (
        "BackboneError",
        "BlemishError",
        "DataError",
        "ImageError",
        "ModelFileError",
        "OptionError",
        "ProviderError",
        "TrainingError",
    ),
    "fitting": ("fit",),
    "result": ("Box", "Nearest", "Region", "Result", "Verdict"),
    "options.settings": ("Settings",),
    "reports.table": ("table",),
}
"""Where each public name lives; it is imported when it is first used, so that `import blemish` costs nothing."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("blemish")
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"blemish.{module}"), name)
    raise AttributeError(f"module 'blemish' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
