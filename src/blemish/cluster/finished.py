"""Which products have their models already, of these images and settings: after a death the same command goes on.

Beside each model that `fit --each` writes, a hidden file says what it was made of. A product whose model was changed
since, or is of other images, settings or versions, is fitted as if there were none.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from blemish.cluster.worker import Worker
from blemish.errors import BlemishError
from blemish.images.sources import list_sources
from blemish.model.file import model_bytes
from blemish.model.model import Model
from blemish.system.address import Place, stamp, write_at

__all__ = ["Told", "keep", "kept", "made_of"]

MACHINE = {"threads", "memory", "spill_folder", "checkpoint"}
"""Options that change nothing in a model."""


@dataclass(frozen=True)
class Told:
    """What is told of a fitted product."""

    images: int
    threshold: float
    said: str
    notes: tuple[str, ...]


def made_of(images: Place, options: Mapping[str, Any]) -> str | None:
    """Digits that stand for the images of a folder (name, size and time of writing), the options of `fit`, files that
    these name, and versions; None where that cannot be known."""
    try:
        sources = list_sources(os.fspath(images), recursive=bool(options.get("recursive")))
        files = [_state(source) for source in sources if isinstance(source, str | os.PathLike)]
    except (BlemishError, OSError, ValueError):
        return None
    if len(files) < len(sources):
        return None
    own = {name: value for name, value in options.items() if name not in MACHINE}
    named = [_state(value) for value in _values(own) if os.path.isfile(value)]
    told = repr((sorted(Worker().versions().items()), sorted(own.items()), named, files))
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()


def keep(place: Place, model: Model, made: str | None, told: Told) -> None:
    """Write down what a model that was just written is made of; where that cannot be done, it will be fitted again."""
    if made is None:
        return
    with suppress(OSError):
        fields = {"made_of": made, "model": _digest(model_bytes(model)), **vars(told)}
        write_at(_beside(place), json.dumps(fields).encode())


def kept(model: Place, images: Place, options: Mapping[str, Any]) -> Told | None:
    """What is told of a model that is there as it was written, of these images and options; None of any other."""
    try:
        found = json.loads(_beside(model).read_bytes())
        if found["model"] != _digest(model.read_bytes()) or found["made_of"] != made_of(images, options):
            return None
        return Told(int(found["images"]), float(found["threshold"]), str(found["said"]), tuple(found["notes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _beside(model: Place) -> Place:
    return model.parent / f".{model.name}.made-of.json"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _state(path: str | os.PathLike[str]) -> tuple[str, int, int]:
    return os.fspath(path), *stamp(path)


def _values(options: Mapping[str, Any]) -> Iterator[str]:
    """Texts and paths among the options, which may name files: a network, a picture of where to look."""
    for value in options.values():
        for each in value if isinstance(value, list | tuple) else [value]:
            if isinstance(each, str | os.PathLike):
                yield os.fspath(each)
