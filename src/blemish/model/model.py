"""A detector as changes see it: its memory as tables, its thresholds and its journal; and the way back.

What a change takes out of the memory is kept (model/journal.py), so that undoing it restores every bit.
"""

import datetime
import getpass
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from blemish.arrays import Array, Floats, Ints
from blemish.calibration.held_out import HeldOut
from blemish.calibration.thresholds import Calibration
from blemish.errors import DataError, OptionError
from blemish.images.training_image import TrainingImage
from blemish.memory.candidates import Candidates
from blemish.methods.look import Look
from blemish.methods.method import Learns, Method
from blemish.model.journal import Edit, Steps, apply, journal_tensors, read_journal, undo
from blemish.model.manifest import FORMAT, Change, ModelManifest
from blemish.model.records import WITHOUT_RECORDS, record_tensors
from blemish.model.signature import Signature
from blemish.model.tables import Table

if TYPE_CHECKING:
    from blemish.backbones.checked import CheckedGraph

__all__ = [
    "NOTHING",
    "Model",
    "changed",
    "look_tables",
    "read_history",
    "recalibrated",
    "tensor_sha256",
    "undone",
    "with_rows",
]

NOTHING: Ints = np.empty(0, np.int64)
"""No rows, or no images."""


TOLD = {"name", "source", "licence", "sha256"}
"""Of each network, in `info`."""


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted method with all that judging takes: how images are looked at, the graph, thresholds and journal."""

    manifest: ModelManifest
    method: Method
    graph: bytes
    """An ONNX network from sized pixels to what the method scores."""
    held_out: HeldOut
    """What good images score by a memory that has not seen them."""
    history: Mapping[int, Steps] = field(default_factory=dict)
    """What each change took out, by its number in the journal."""
    signature: Signature | None = None
    """Who has signed this model, or the one it was made from: it is written only with the model it is of."""
    checked: "CheckedGraph | None" = field(default=None, repr=False)
    """What is known of the graph, where it came with a file: models that are read share one of the same bytes."""

    def __post_init__(self) -> None:
        """What was fitted cannot be written to either; what was read never could."""
        held_out = self.held_out
        for array in (*self.method.tensors().values(), held_out.image_M, held_out.scores_M, held_out.peaks_M):
            array.setflags(write=False)

    @cached_property
    def content(self) -> dict[str, Array]:
        """All tensors of the model file, by name."""
        held_out = self.held_out
        return {
            **self.method.tensors(),
            "calibration.image": held_out.image_M,
            "calibration.scores": held_out.scores_M,
            "calibration.peaks": held_out.peaks_M,
            "graph.onnx": np.frombuffer(self.graph, np.uint8),
            **journal_tensors(self.history),
            **record_tensors(self.manifest),
        }

    @cached_property
    def manifest_text(self) -> str:
        """The manifest as the model file holds it: with the sha256 of every tensor, and without what is one."""
        hashes = {name: tensor_sha256(tensor) for name, tensor in self.content.items()}
        hashed = self.manifest.model_copy(update={"format": FORMAT, "sha256": hashes})
        return hashed.model_dump_json(exclude=WITHOUT_RECORDS)

    @cached_property
    def digest(self) -> str:
        """The sha256 of the manifest, which covers all tensors."""
        return hashlib.sha256(self.manifest_text.encode()).hexdigest()

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that name this very model: the first of its digest."""
        return self.digest[:12]

    @property
    def signed(self) -> dict[str, Any] | None:
        """Who has signed this very model, and whether that could be checked here; None where nobody has."""
        if self.signature is None or self.signature.digest != self.digest:
            return None
        return {"by": self.signature.by, "key": self.signature.key, "checked": self.signature.checked}

    @property
    def held_out_groups(self) -> list[str]:
        """The group of each image that the thresholds rest on."""
        return [self.manifest.images[image].group for image in self.held_out.image_M]

    def info(self, provider: str, threads: int) -> dict[str, Any]:
        """What this model is, for people and programs, on the hardware named."""
        manifest, backbone, more = self.manifest, self.manifest.backbone, self.manifest.more_backbones
        return {
            "model": self.version,
            "method": manifest.method,
            "created": manifest.created,
            "blemish": manifest.blemish,
            "format": manifest.format,
            "signed": self.signed,
            "input": {"height": manifest.transform.height, "width": manifest.transform.width},
            "pixels": manifest.transform.pixels,
            "images": manifest.in_memory,
            "groups": len({image.group for image in manifest.images if image.in_memory}),
            **self.method.info(),
            "calibration": manifest.calibration.to_dict(),
            "suspects": self._suspects(),
            "backbone": backbone and backbone.model_dump(include=TOLD),
            **({"more_backbones": [each.model_dump(include=TOLD) for each in more]} if more else {}),
            "provider": provider,
            "threads": threads,
            "settings": manifest.settings.model_dump(),
        }

    def _suspects(self) -> dict[str, list[str]]:
        """The good images that look like defects: those still known, and those that were left out."""
        left = [image for change in self.manifest.journal if change.change == "remove" for image in change.images]
        return {
            name: [image.path for image in images if image.suspect is not None]
            for name, images in (("known", self.manifest.images), ("left_out", left))
        }

    def __str__(self) -> str:
        """One line: method, what it has kept, threshold, images."""
        manifest = self.manifest
        threshold, images = manifest.calibration.threshold, manifest.in_memory
        return f"{manifest.method}, {self.method.size}, threshold {threshold:.4g}, {images:,} good images"

    @property
    def learns(self) -> bool:
        """Whether its memory can change; its thresholds always can."""
        return isinstance(self.method, Learns) and self.method.can_learn

    def check_learns(self) -> None:
        """Raise OptionError, saying what to do, where the memory cannot change."""
        if self.learns:
            return
        if isinstance(self.method, Learns):
            raise OptionError("A model with a bank for each tile cannot learn on the line; fit it with tile_banks=one.")
        raise OptionError(
            f"A model of the method {self.manifest.method} cannot learn on the line, only one of patchcore; fit it "
            f"again with the images it is to know."
        )

    @property
    def memory(self) -> Learns:
        """The method of a model that learns."""
        assert isinstance(self.method, Learns), "ask whether it learns"
        return self.method

    @cached_property
    def tables(self) -> dict[str, Table]:
        """What can change, as tables, by the names that their tensors begin with."""
        held_out = self.held_out
        tables: dict[str, Table] = {
            "calibration": {"image": held_out.image_M, "scores": held_out.scores_M, "peaks": held_out.peaks_M}
        }
        if not self.learns:
            return tables
        looks = [look_tables(look) for look in self.memory.looks]
        return {f"{name}{n or ''}": table for n, own in enumerate(looks) for name, table in own.items()} | tables

    @cached_property
    def candidates_nearest(self) -> list[tuple[Floats, Ints]]:
        """For each look, how far each candidate is from the bank (C), and the number of its nearest row (C)."""
        return [_nearest_rows(look) for look in self.memory.looks]

    def of_tables(self, tables: Mapping[str, Table], manifest: ModelManifest, history: Mapping[int, Steps]) -> "Model":
        """The model that these tables make."""
        held_out = HeldOut(*(tables["calibration"][column] for column in ("image", "scores", "peaks")))
        model = replace(self, manifest=manifest, held_out=held_out, history=history)
        if all(tables[name] is table for name, table in self.tables.items() if name != "calibration"):
            return model
        looks = [
            with_rows(look, tables[f"bank{n or ''}"]).keeping(_candidates(tables[f"candidates{n or ''}"]))
            for n, look in enumerate(self.memory.looks)
        ]
        return replace(model, method=self.memory.with_looks(looks))


def look_tables(look: Look) -> dict[str, Table]:
    """The bank of a look and its candidates, as tables."""
    bank, candidates = look.bank, look.candidates
    scale = {} if bank.scale_K is None else {"scale": bank.scale_K}
    return {
        "bank": {"rows": bank.rows_KD, "image": bank.image_K, "cell": bank.cell_K, "radii": bank.radii_K, **scale},
        "candidates": {"rows": candidates.rows_CD, "image": candidates.image_C, "cell": candidates.cell_C},
    }


def with_rows(look: Look, bank: Table) -> Look:
    """The look with other rows in its bank, and no candidates."""
    rows_KD, image_K, cell_K, radii_K = (bank[column] for column in ("rows", "image", "cell", "radii"))
    scale_K = bank.get("scale")
    return look.over(
        replace(look.bank, rows_KD=rows_KD, image_K=image_K, cell_K=cell_K, radii_K=radii_K, scale_K=scale_K)
    )


def _candidates(table: Table) -> Candidates:
    return Candidates(table["rows"], table["image"], table["cell"])


def _nearest_rows(look: Look) -> tuple[Floats, Ints]:
    rows_CD = np.asarray(look.candidates.rows_CD, np.float32)
    if not len(rows_CD):
        return np.empty(0, np.float32), NOTHING
    distances_C1, nearest_C1 = look.search.query(rows_CD)
    return distances_C1[:, 0], nearest_C1[:, 0]


def changed(
    model: Model,
    kind: Literal["add", "remove", "calibrate"],
    edits: Mapping[str, Edit],
    images: Sequence[TrainingImage],
    numbers: Ints,
    calibration: Calibration,
    who: str | None,
    *,
    left: Ints = NOTHING,
) -> Model:
    """Carry a change out and write it into the journal."""
    tables, steps = apply(model.tables, edits, left)
    manifest = model.manifest
    these = manifest.images if kind == "remove" else images
    change = Change(
        change=kind,
        when=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        who=who or _user(),
        images=tuple(these[number] for number in numbers),
        numbers=tuple(numbers.tolist()),
        added={name: step.added for name, step in steps.items()},
        taken={name: len(step.taken_at) for name, step in steps.items()},
        before=manifest.calibration,
        threshold=calibration.threshold,
        wanted=calibration.wanted if kind == "calibrate" else None,
    )
    update = {"images": tuple(images), "calibration": calibration, "journal": (*manifest.journal, change)}
    history = {**model.history, len(manifest.journal): steps}
    return model.of_tables(tables, manifest.model_copy(update=update), history)


def recalibrated(
    model: Model, new: Sequence[TrainingImage], held_out: HeldOut, calibration: Calibration, who: str | None
) -> Model:
    """The model with thresholds that rest on these scores; `new` are images it did not list, but `held_out` counts."""
    first = len(model.manifest.images)
    scores = {"image": held_out.image_M, "scores": held_out.scores_M, "peaks": held_out.peaks_M}
    edits: dict[str, Edit] = {"calibration": (np.arange(len(model.held_out.image_M)), scores)}
    images = [*model.manifest.images, *new]
    return changed(model, "calibrate", edits, images, np.arange(first, len(images)), calibration, who)


def undone(model: Model) -> Model:
    """The model before its last change, bit for bit. Raises DataError where there is none."""
    manifest = model.manifest
    if not manifest.journal:
        raise DataError("Nothing was changed since the model was fitted, so there is nothing to undo.")
    change, number = manifest.journal[-1], len(manifest.journal) - 1
    left = np.array(change.numbers if change.change == "remove" else [], np.int64)
    tables = undo(model.tables, model.history[number], left, len(manifest.images) + len(left))
    if change.change == "remove":
        images = [*manifest.images]
        for place, image in zip(change.numbers, change.images, strict=True):
            images.insert(place, image)
    else:
        images = [*manifest.images[: len(manifest.images) - len(change.images)]]
    update = {"images": tuple(images), "calibration": change.before, "journal": manifest.journal[:-1]}
    history = {each: steps for each, steps in model.history.items() if each != number}
    return model.of_tables(tables, manifest.model_copy(update=update), history)


def read_history(model: Model, tensors: Mapping[str, Array]) -> dict[int, Steps]:
    """What the changes in the journal took out, from the tensors of the model file."""
    return read_journal(tensors, model.tables, [change.added for change in model.manifest.journal])


def tensor_sha256(tensor: Array) -> str:
    """The sha256 of a tensor's type, shape and bytes, as hexadecimal digits."""
    begin = f"{tensor.dtype.str.lstrip('<|')} {list(tensor.shape)}\n".encode()
    found = hashlib.sha256(begin)
    found.update(np.ascontiguousarray(tensor).data)
    return found.hexdigest()


def _user() -> str:
    """Who is at work, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"
