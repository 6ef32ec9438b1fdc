"""The looks of PatchCore in the model file: their tensors, and the way back (docs/file-format.md)."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from blemish.arrays import Array
from blemish.images.transform import Transform
from blemish.memory.bank import Bank
from blemish.memory.candidates import Candidates
from blemish.methods.look import PLAIN, Look, Scale
from blemish.methods.method import TensorKind
from blemish.options.settings import Settings

__all__ = ["LOOK_TENSORS", "MOST_LOOKS", "look_of", "look_tensor_kinds"]

LOOK_TENSORS: Mapping[str, TensorKind] = {
    "bank.rows": ((np.float32, np.float16), "Kd"),
    "bank.image": (np.int64, "K"),
    "bank.cell": (np.int64, "K"),
    "bank.radii": (np.float32, "K"),
    "bank.scale": (np.float32, "K"),
    "bank.radius": (np.float64, "r"),
    "candidates.rows": (np.float32, "Cd"),
    "candidates.image": (np.int64, "C"),
    "candidates.cell": (np.int64, "C"),
    "edges.scale": (np.float32, "g"),
    "look.scale": (np.float64, "s"),
    "look.peaks": (np.float64, "s"),
    "look.overall": (np.float64, "r"),
}
"""Of the first look; those of look number n have n behind the word before the dot: bank1.rows."""

AXES = {"K": "KPQRSTUV", "d": "depqtuvw", "C": "CDEFGHIJ"}
"""The letters of the axes of each look in turn: axes of one letter have one length."""
MOST_LOOKS = len(AXES["K"])


def look_tensor_kinds(looks: int) -> dict[str, TensorKind]:
    """The tensors of so many looks."""
    kinds: dict[str, TensorKind] = {}
    for number in range(looks):
        letters = str.maketrans({letter: several[number] for letter, several in AXES.items()})
        for name, (types, axes) in LOOK_TENSORS.items():
            table, _, column = name.partition(".")
            kinds[f"{table}{number or ''}.{column}"] = types, axes.translate(letters)
    return kinds


def look_of(
    tensors: Mapping[str, Array], number: int, settings: Settings, transform: Transform, reduction: int
) -> Look:
    """Look number `number` of a model file."""
    n = number or ""
    rows, image, cell, radii = (tensors[f"bank{n}.{column}"] for column in ("rows", "image", "cell", "radii"))
    radius = np.inf if settings.projection else radii[-1]
    radius, scale = float(tensors.get(f"bank{n}.radius", [radius])[0]), tensors.get(f"bank{n}.scale")
    bank = Bank(rows, image, cell, radii, radius, scale)
    look = Look.of(bank, settings, transform, reduction)
    if f"candidates{n}.rows" in tensors:
        look = look.keeping(Candidates(*(tensors[f"candidates{n}.{column}"] for column in ("rows", "image", "cell"))))
    if f"edges{n}.scale" in tensors:
        look = replace(look, edges_R=tensors[f"edges{n}.scale"])
    of_maps = _scale(tensors, f"look{n}.scale", PLAIN)
    overall = float(tensors.get(f"look{n}.overall", [0.0])[0])  # earlier files have none: the peak alone counted
    return look.scaled(of_maps, _scale(tensors, f"look{n}.peaks", of_maps), overall)


def _scale(tensors: Mapping[str, Array], name: str, otherwise: Scale) -> Scale:
    if name not in tensors:
        return otherwise
    mean, deviation = tensors[name]
    return float(mean), float(deviation)
