"""Methods by name. Their modules are imported when they are asked for; none of them imports torch to inspect."""

from importlib import import_module
from typing import cast

from blemish.methods.method import MethodKind

__all__ = ["METHODS", "find_method"]

METHODS = {
    "patchcore": "blemish.methods.patchcore_learner:PatchCoreKind",
    "padim": "blemish.methods.padim:PaDiM",
    "spade": "blemish.methods.spade:SPADE",
    "1-nn": "blemish.methods.nearest_image:NearestImage",
    "differnet": "blemish.methods.trained.kinds:DifferNet",
    "ganomaly": "blemish.methods.trained.kinds:GANomaly",
    "cavga": "blemish.methods.trained.kinds:CAVGA",
}
"""Where each method lives; their names are those that `Settings.method` allows."""


def find_method(name: str) -> MethodKind:
    """The kind of method a name stands for."""
    module, kind = METHODS[name].split(":")
    return cast(MethodKind, getattr(import_module(module), kind))
