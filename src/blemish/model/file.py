"""The model file: safetensors with a JSON manifest, written whole or not at all, checked on reading.

docs/file-format.md specifies it. Nothing in it is ever executed; the graph inside is refused when it uses
external data or custom operators.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, save

from blemish.arrays import Array
from blemish.backbones.network import open_network
from blemish.calibration.held_out import HeldOut
from blemish.errors import BackboneError, ModelFileError
from blemish.methods.method import TensorKind
from blemish.methods.registry import METHODS, find_method
from blemish.model.journal import TAKEN_AT, Steps
from blemish.model.manifest import FORMAT, ModelManifest
from blemish.model.model import Model, read_history, tensor_sha256
from blemish.options.settings import Settings
from blemish.system.outputs import Kind
from blemish.system.whole_file import sweep, write_whole

__all__ = [
    "MODEL_FILE",
    "TENSORS",
    "checked_tensors",
    "model_bytes",
    "model_of",
    "read_model",
    "tensor_kinds",
    "write_model",
]

_KEY = "blemish"

TENSORS: Mapping[str, TensorKind] = {
    "calibration.image": (np.int64, "m"),
    "calibration.scores": (np.float64, "m"),
    "calibration.peaks": (np.float64, "m"),
    "graph.onnx": (np.uint8, "b"),
}
"""The tensors of every model: type and axes (m held-out images, b bytes); those of its method come beside them."""

OPTIONAL = ("bank.radius", "edges.scale", "look.scale", "candidates")
"""Three tensors, and a table of them, that a model may do without, at each look."""
JOURNAL = "journal."
"""How those begin that changes have taken out (model/journal.py)."""


def tensor_kinds(settings: Settings) -> dict[str, TensorKind]:
    """All tensors of a model with these settings."""
    return {**find_method(settings.method).tensor_kinds(settings), **TENSORS}


def model_bytes(model: Model) -> bytes:
    """The content of a model's file."""
    return save(model.content, metadata={_KEY: model.signed_manifest.model_dump_json()})


def write_model(path: Path, model: Model) -> None:
    """Write a model whole, or leave what was there. Raises ModelFileError."""
    content = model_bytes(model)
    if not path.parent.is_dir():
        raise ModelFileError(
            f"The folder {path.parent} does not exist; create it, or choose another place for {path.name}."
        )
    sweep(path.parent)
    try:
        write_whole(path, content)
    except OSError as error:
        raise ModelFileError(f"{path} could not be written: {error.strerror or error}; nothing was changed.") from None


def _is_model(path: Path) -> bool:
    try:
        with safe_open(path, framework="numpy") as file:
            return _KEY in (file.metadata() or {})
    except SafetensorError:
        return False


MODEL_FILE = Kind("a model", _is_model)
"""What a command may write a model over."""


def read_model(path: Path) -> Model:
    """Read and check a model file: version, manifest, types, shapes, hashes, graph.

    Raises ModelFileError naming the field that is wrong.
    """
    if not path.exists():
        raise ModelFileError(f"{path} does not exist; blemish fit makes model files.")
    if not path.is_file():
        raise ModelFileError(f"{path} is not a file; name a model file made by blemish fit.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror or error}).") from None
    return model_of(content, str(path))


def model_of(content: bytes, name: str) -> Model:
    """The model in the content of a file, checked as `read_model` does; `name` is for messages."""
    manifest, tensors = checked_tensors(content, name)
    graph = tensors["graph.onnx"].tobytes()
    try:
        open_network(graph)
    except BackboneError as error:
        raise ModelFileError(f"{name} cannot be used: tensor graph.onnx: {error}") from None
    method = find_method(manifest.method).restore(tensors, manifest.settings, manifest.transform)
    held_out = HeldOut(tensors["calibration.image"], tensors["calibration.scores"], tensors["calibration.peaks"])
    model = Model(manifest, method, graph, held_out)
    return replace(model, history=_history(name, model, tensors))


def checked_tensors(content: bytes, name: str) -> tuple[ModelManifest, dict[str, Array]]:
    """The manifest and the tensors of a model file, each checked against what its method keeps."""
    try:
        tensors = load(content)
        manifest = _manifest(name, _metadata(content))
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise ModelFileError(f"{name} is not a blemish model, or it is damaged ({error}).") from None
    kinds = tensor_kinds(manifest.settings)
    if manifest.format == 1:
        del kinds["calibration.image"]  # every image was scored
    _check_missing(name, kinds, tensors.keys())
    kinds |= {each: _journal_kind(name, each, kinds) for each in tensors if each.startswith(JOURNAL)}
    tensors = {each: tensors[each] for each in kinds if each in tensors}
    for each, tensor in tensors.items():
        _check_tensor(name, manifest, each, tensor, kinds[each])
    tensors.setdefault("calibration.image", np.arange(len(manifest.images)))
    now = {each: tensor for each, tensor in tensors.items() if not each.startswith(JOURNAL)}
    _check_sizes(name, now, tensor_kinds(manifest.settings))
    _check_numbers(name, manifest, now)
    return manifest, tensors


def _metadata(content: bytes) -> Mapping[str, str] | None:
    """What a safetensors file says beside its tensors: its header is JSON of as many bytes as its first eight say."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    metadata: Mapping[str, str] | None = header.get("__metadata__")
    return metadata


def _check_missing(name: str, kinds: Mapping[str, TensorKind], there: Iterable[str]) -> None:
    begun = {each.partition(".")[0] for each in there}
    for each in sorted(kinds.keys() - set(there)):
        table, _, column = each.partition(".")
        of_any_look = table.rstrip("0123456789")
        if f"{of_any_look}.{column}" not in OPTIONAL and (of_any_look not in OPTIONAL or table in begun):
            raise ModelFileError(f"{name} is damaged: tensor {each} is missing.")


def _history(name: str, model: Model, tensors: Mapping[str, Array]) -> Mapping[int, Steps]:
    """What it takes to undo the changes in the journal. Raises ModelFileError where some of it is missing."""
    journal = model.manifest.journal
    if unknown := {table for change in journal for table in change.added.keys() - model.tables.keys()}:
        raise ModelFileError(f"{name} is damaged: its journal names a table {min(unknown)}, which it does not have.")
    history = read_history(model, tensors)
    for number, steps in history.items():
        for table, step in steps.items():
            if len(step.taken_at) != journal[number].taken.get(table):
                raise ModelFileError(f"{name} is damaged: what change {number} took out of {table} is not all there.")
    return history


def _journal_kind(file: str, name: str, kinds: Mapping[str, TensorKind]) -> TensorKind:
    """The kind of a tensor journal.NUMBER.TABLE.COLUMN: that of TABLE.COLUMN, or of places in the table."""
    _, number, column = name.split(".", 2) if name.count(".") == 3 else ("", "", "")
    if number.isdecimal() and column.endswith(f".{TAKEN_AT}"):
        return np.int64, "t"
    if number.isdecimal() and column in kinds:
        return kinds[column]
    raise ModelFileError(f"{file} is damaged: it holds a tensor {name}, which no change of a model writes.")


def _manifest(file: str, metadata: Mapping[str, str] | None) -> ModelManifest:
    content = (metadata or {}).get(_KEY)
    if content is None:
        raise ModelFileError(f"{file} is a safetensors file but not a blemish model: its manifest is missing.")
    try:
        fields = json.loads(content)
        version = fields.get("format") if isinstance(fields, dict) else None
        if isinstance(version, int) and version > FORMAT:
            raise ModelFileError(
                f"{file} has format {version}; this blemish reads up to {FORMAT}. Install a newer blemish."
            )
        manifest = ModelManifest.model_validate(_from_format_1(fields) if version == 1 else fields)
    except json.JSONDecodeError as error:
        raise ModelFileError(f"{file} is damaged: its manifest is not JSON ({error}).") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise ModelFileError(f"{file} cannot be used: field {field} of its manifest: {first['msg']}.") from None
    if manifest.method not in METHODS:
        raise ModelFileError(
            f"{file} cannot be used: field method of its manifest is {manifest.method!r}, but this blemish knows "
            f"{', '.join(METHODS)}. Install a newer blemish."
        )
    return manifest


def _from_format_1(fields: dict[str, Any]) -> dict[str, Any]:
    """A manifest of format 1 in today's words: its threshold was a quantile of cross-fitted scores."""
    settings, old = dict(fields.get("settings", {})), fields.get("calibration")
    if not isinstance(old, dict) or not {"quantile", "threshold", "images"} <= old.keys():
        return fields
    share = 1 - settings.pop("quantile", old["quantile"])
    above = old["images"] - 1 - math.ceil(old["quantile"] * (old["images"] - 1))
    calibration = {
        "mode": "cross",
        "wanted": {"false_rejects": share, "confidence": 0.95, "review": 0.0},
        "images": old["images"],
        "groups": old["groups"],
        "threshold": old["threshold"],
        "above": above,
        "review_threshold": old["threshold"],
        "review_above": above,
        "map_threshold": old["map_threshold"],
        "map_extent": old["map_threshold"],
        "images_with_region": above,
    }
    return {**fields, "settings": settings, "calibration": calibration}


def _check_tensor(file: str, manifest: ModelManifest, name: str, tensor: Array, wanted: TensorKind) -> None:
    """Type, axes, hash and values of one tensor."""
    kind, axes = wanted
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if tensor.dtype not in kinds or tensor.ndim != len(axes) or 0 in tensor.shape:
        types = " or ".join(str(np.dtype(each)) for each in kinds)
        raise ModelFileError(
            f"{file} is damaged: tensor {name} is {tensor.dtype} of shape {tensor.shape}; "
            f"it must be {types} with {len(axes)} axes, none of them empty."
        )
    if manifest.sha256.get(name) != tensor_sha256(tensor):
        raise ModelFileError(f"{file} is damaged: the sha256 of tensor {name} does not match its manifest.")
    if not np.isfinite(tensor).all():
        raise ModelFileError(f"{file} is damaged: tensor {name} holds NaN or infinity.")


def _check_sizes(file: str, tensors: Mapping[str, Array], kinds: Mapping[str, TensorKind]) -> None:
    """Axes of one letter have one length."""
    lengths: dict[str, int] = {}
    for name in [name for name in kinds if name in tensors]:
        for axis, length in zip(kinds[name][1], tensors[name].shape, strict=True):
            if length != lengths.setdefault(axis, length):
                raise ModelFileError(f"{file} is damaged: tensor {name} has {length} {axis}, not {lengths[axis]}.")


def _check_numbers(file: str, manifest: ModelManifest, tensors: Mapping[str, Array]) -> None:
    """Training images and cells of the grid that tensors name are there."""
    limits = {".image": len(manifest.images), ".cell": manifest.grid[0] * manifest.grid[1]}
    for name, limit in [(name, limits[end]) for name in tensors for end in limits if name.endswith(end)]:
        lowest, highest = int(tensors[name].min()), int(tensors[name].max())
        if lowest < 0 or highest >= limit:
            raise ModelFileError(
                f"{file} is damaged: tensor {name} names {lowest if lowest < 0 else highest}; "
                f"it must lie in 0 to {limit - 1}."
            )
