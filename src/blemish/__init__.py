"""blemish learns what a good part looks like and finds, scores and outlines whatever deviates.

detector = blemish.fit("good/")
result = detector.inspect("part.png")
result.verdict, result.score, result.anomaly_map
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from blemish.adaptation.adapt import Adapted, adapt
    from blemish.calibrating import calibrate
    from blemish.cluster.connecting import connect
    from blemish.detector import Detector, load
    from blemish.diagnosis.data_set import Examination
    from blemish.diagnosis.doctor import doctor
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
    from blemish.evaluation.evaluation import Evaluation
    from blemish.evaluation.run import evaluate
    from blemish.export.artefact import Artefact
    from blemish.fitting import fit
    from blemish.options.settings import Settings
    from blemish.reports.reporting import report
    from blemish.reports.table import table
    from blemish.reproduction.reproduction import Reproduced, reproduce
    from blemish.result import Box, Nearest, Region, Result, Verdict
    from blemish.scanning import Scan, scan
    from blemish.tuning.outcome import Tuned
    from blemish.tuning.run import tune

__all__ = [
    "Adapted",
    "Artefact",
    "BackboneError",
    "BlemishError",
    "Box",
    "DataError",
    "Detector",
    "Evaluation",
    "Examination",
    "ImageError",
    "ModelFileError",
    "Nearest",
    "OptionError",
    "ProviderError",
    "Region",
    "Reproduced",
    "Result",
    "Scan",
    "Settings",
    "TrainingError",
    "Tuned",
    "Verdict",
    "adapt",
    "calibrate",
    "connect",
    "doctor",
    "evaluate",
    "fit",
    "load",
    "report",
    "reproduce",
    "scan",
    "table",
    "tune",
]

_HOMES = {
    "adaptation.adapt": ("Adapted", "adapt"),
    "calibrating": ("calibrate",),
    "cluster.connecting": ("connect",),
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
    "diagnosis.data_set": ("Examination",),
    "diagnosis.doctor": ("doctor",),
    "evaluation.evaluation": ("Evaluation",),
    "evaluation.run": ("evaluate",),
    "export.artefact": ("Artefact",),
    "fitting": ("fit",),
    "result": ("Box", "Nearest", "Region", "Result", "Verdict"),
    "options.settings": ("Settings",),
    "reports.reporting": ("report",),
    "reports.table": ("table",),
    "reproduction.reproduction": ("Reproduced", "reproduce"),
    "scanning": ("Scan", "scan"),
    "tuning.outcome": ("Tuned",),
    "tuning.run": ("tune",),
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
