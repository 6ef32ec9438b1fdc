"""What a method keeps in the model file: said once, beside each of its values.

    mean_PD: Annotated[Floats, Tensor("gaussian.mean", np.float32, "Pd")]
    levels: Annotated[tuple[Level, ...], Parts("level", Level, "RSTUVW", count_levels)]

From these marks come the tensors, their kinds, and the way back. Fields without a mark, such as the settings and the
transform, come from the manifest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, get_type_hints

import numpy as np

from blemish.arrays import Array
from blemish.images.transform import Transform
from blemish.methods.method import TensorKind
from blemish.options.settings import Settings

__all__ = ["Parts", "State", "Tensor"]


@dataclass(frozen=True)
class Tensor:
    """Marks a field that is one tensor: its name, its type, and its axes as in `TensorKind`."""

    name: str
    dtype: type[np.generic]
    axes: str

    def kinds(self, settings: Settings) -> dict[str, TensorKind]:
        return {self.name: (self.dtype, self.axes)}

    def tensors(self, value: Any) -> dict[str, Array]:
        return {self.name: np.asarray(value, self.dtype)}

    def value(self, tensors: Mapping[str, Array], settings: Settings) -> Array:
        return tensors[self.name]


@dataclass(frozen=True)
class Parts:
    """Marks a field of several values of one class, each with marked fields of its own.

    Part 1 of `level` keeps its tensor `rows` as `level1.rows`. Parts differ in size, so each has a letter of its own
    for its axes: with `letters` RS, axes Nd are Rr in part 0 and Ss in part 1. The settings tell how many there are.
    """

    name: str
    part: type[Any]
    letters: str
    count: Callable[[Settings], int]

    def kinds(self, settings: Settings) -> dict[str, TensorKind]:
        kinds: dict[str, TensorKind] = {}
        for number, letter in zip(range(self.count(settings)), self.letters, strict=False):
            for name, (dtype, axes) in _kinds(self.part, settings).items():
                own = (letter if axis.isupper() else letter.lower() for axis in axes)
                kinds[f"{self.name}{number}.{name}"] = dtype, "".join(own)
        return kinds

    def tensors(self, values: Any) -> dict[str, Array]:
        return {
            f"{self.name}{number}.{name}": tensor
            for number, value in enumerate(values)
            for name, tensor in _tensors(value).items()
        }

    def value(self, tensors: Mapping[str, Array], settings: Settings) -> tuple[Any, ...]:
        parts = []
        for number in range(self.count(settings)):
            start = f"{self.name}{number}."
            own = {name.removeprefix(start): tensors[name] for name in tensors if name.startswith(start)}
            parts.append(self.part(**_values(self.part, own, settings)))
        return tuple(parts)


@dataclass(frozen=True, eq=False, repr=False)
class State:
    """A frozen dataclass whose marked fields are its tensors in the model file."""

    @classmethod
    def tensor_kinds(cls, settings: Settings) -> Mapping[str, TensorKind]:
        """The tensors kept with these settings, with types and axes."""
        return _kinds(cls, settings)

    @classmethod
    def restore(cls, tensors: Mapping[str, Array], settings: Settings, transform: Transform) -> Self:
        """The method that keeps these tensors."""
        manifest = {"settings": settings, "transform": transform}
        wanted = {field.name: manifest[field.name] for field in fields(cls) if field.name in manifest}
        return cls(**_values(cls, tensors, settings), **wanted)

    def tensors(self) -> dict[str, Array]:
        """What to keep in the model file, by name."""
        return _tensors(self)


def _marks(kind: type[Any]) -> dict[str, Tensor | Parts]:
    """The marked fields of a class, in order."""
    hints = get_type_hints(kind, include_extras=True)
    marks = {field: getattr(hint, "__metadata__", (None,))[0] for field, hint in hints.items()}
    return {field: mark for field, mark in marks.items() if isinstance(mark, Tensor | Parts)}


def _kinds(kind: type[Any], settings: Settings) -> dict[str, TensorKind]:
    return {name: each for mark in _marks(kind).values() for name, each in mark.kinds(settings).items()}


def _tensors(value: Any) -> dict[str, Array]:
    marks = _marks(type(value))
    return {name: each for field, mark in marks.items() for name, each in mark.tensors(getattr(value, field)).items()}


def _values(kind: type[Any], tensors: Mapping[str, Array], settings: Settings) -> dict[str, Any]:
    """The marked fields, from their tensors."""
    return {field: mark.value(tensors, settings) for field, mark in _marks(kind).items()}
