"""The model file: safetensors with a JSON manifest, written whole or not at all, checked on reading.

docs/file-format.md specifies it. A digest covers the manifest, and the manifest every tensor; nothing in the file is
ever executed but the graph, whose operators, sizes and work are bounded before it runs.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from blemish.arrays import Array
from blemish.calibration.held_out import HeldOut
from blemish.errors import BlemishError, ModelFileError
from blemish.methods.method import Method, TensorKind
from blemish.methods.registry import METHODS, find_method
from blemish.model.container import LARGEST_HEADER, METADATA, Container, pack, parsed, unpack
from blemish.model.manifest import FORMAT, ModelManifest
from blemish.model.model import Model
from blemish.model.ranges import check_pictures, problems
from blemish.model.records import IMAGES, is_record, with_records
from blemish.model.signature import SIGNATURE, Trusted, check_signature
from blemish.model.tensor_checks import (
    JOURNAL,
    check_hashes,
    check_missing,
    check_numbers,
    check_old_hashes,
    check_sizes,
    check_tensor,
    checked_history,
    kind_of,
)
from blemish.model.trial import check_grids, graph_of, graph_work
from blemish.options.settings import Settings
from blemish.system.address import Address, Place
from blemish.system.buckets import cause
from blemish.system.outputs import Kind
from blemish.system.whole_file import sweep, write_whole

__all__ = [
    "MODEL_FILE",
    "TENSORS",
    "checked_tensors",
    "model_bytes",
    "model_of",
    "read_model",
    "seal",
    "tensor_kinds",
    "write_model",
]

GRAPH = "graph.onnx"
MANIFEST, DIGEST = "blemish", "digest"
"""Entries of the header's metadata: the manifest, and the sha256 over it and the signature."""
ENTRIES = (MANIFEST, SIGNATURE)
SEALED = 3
"""The format from which on a digest covers the manifest, and images are records."""

TENSORS: Mapping[str, TensorKind] = {
    "calibration.image": (np.int64, "m"),
    "calibration.scores": (np.float64, "m"),
    "calibration.peaks": (np.float64, "m"),
    GRAPH: (np.uint8, "b"),
    IMAGES: (np.uint8, "i"),
}
"""The tensors of every model: type and axes (m held-out images, b and i bytes), beside those of its method."""
SINCE = {"calibration.image": 2, IMAGES: SEALED}
"""The format that brought them."""


def tensor_kinds(settings: Settings) -> dict[str, TensorKind]:
    """All tensors of a model with these settings."""
    return {**find_method(settings.method).tensor_kinds(settings), **TENSORS}


def model_bytes(model: Model) -> bytes:
    """The content of a model's file."""
    metadata = {MANIFEST: model.manifest_text}
    if model.signature and model.signature.digest == model.digest:
        metadata[SIGNATURE] = model.signature.model_dump_json()
    return pack(model.content, metadata | {DIGEST: seal(metadata)})


def seal(metadata: Mapping[str, str]) -> str:
    """The sha256 over the manifest, and the signature if there is one."""
    return hashlib.sha256("\n".join(metadata[name] for name in ENTRIES if name in metadata).encode()).hexdigest()


def write_model(path: Place, model: Model) -> None:
    """Write a model whole, or leave what was there. Raises ModelFileError."""
    content = model_bytes(model)
    if isinstance(path, Address):
        _write_at(path, content)
        return
    if not path.parent.is_dir():
        raise ModelFileError(
            f"The folder {path.parent} does not exist; create it, or choose another place for {path.name}."
        )
    sweep(path.parent)
    try:
        write_whole(path, content)
    except OSError as error:
        raise ModelFileError(f"{path} could not be written: {error.strerror or error}; nothing was changed.") from None


def _write_at(address: Address, content: bytes) -> None:
    try:
        address.write_bytes(content)
    except OSError as error:
        raise ModelFileError(f"{address} could not be written: {cause(error)}; nothing was changed.") from None


def _is_model(path: Place) -> bool:
    if isinstance(path, Address):
        return _is_model_at(path)
    try:
        with safe_open(path, framework="numpy") as file:
            return MANIFEST in (file.metadata() or {})
    except SafetensorError:
        return False


def _is_model_at(address: Address) -> bool:
    """The same, by two parts of the object's start."""
    length = int.from_bytes(address.read_start(8), "little")
    if length > LARGEST_HEADER:
        return False
    try:
        return MANIFEST in json.loads(address.read_start(8 + length)[8:])[METADATA]
    except (ValueError, LookupError, TypeError):
        return False


MODEL_FILE = Kind("a model", _is_model, in_buckets=True)
"""What a command may write a model over."""


def read_model(path: Place, *, trusted: Trusted | None = None) -> Model:
    """Read and check a model file: digest, signature, version, manifest, types, shapes, hashes, graph.

    Raises ModelFileError naming the field that is wrong, or where none of the keys `trusted` has signed it.
    """
    if isinstance(path, Path) and path.exists() and not path.is_file():
        raise ModelFileError(f"{path} is not a file; name a model file made by blemish fit.")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ModelFileError(f"{path} does not exist; blemish fit makes model files.") from None
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror or cause(error)}).") from None
    return model_of(content, str(path), trusted=trusted)


def model_of(content: bytes, name: str, *, trusted: Trusted | None = None) -> Model:
    """The model in the content of a file, checked as `read_model` does; `name` is for messages."""
    box = _opened(content, name)
    digest = hashlib.sha256(box.metadata[MANIFEST].encode()).hexdigest()
    signature = check_signature(box.metadata, digest, trusted, name)
    manifest, tensors = _checked(box, name)
    graph = graph_of(tensors.pop(GRAPH).tobytes(), name)
    if len(graph.content) > len(content) / 2:  # models share their graph: then most of what each holds can go
        tensors = {each: _apart(tensor) for each, tensor in tensors.items()}
    work = graph_work(graph, manifest.transform, name)
    grids = check_grids(work, manifest, name)
    now = {each: tensor for each, tensor in tensors.items() if not each.startswith(JOURNAL)}
    check_numbers(name, len(manifest.images), [rows * columns for rows, columns in grids.values()], now)
    held_out = HeldOut(tensors["calibration.image"], tensors["calibration.scores"], tensors["calibration.peaks"])
    method = _restored(manifest, tensors, name)
    model = Model(manifest, method, graph.content, held_out, signature=signature, checked=graph)
    return replace(model, history=checked_history(name, model, tensors))


def _apart(tensor: Array) -> Array:
    """A tensor with bytes of its own, as unchangeable as those of the file."""
    return np.frombuffer(tensor.tobytes(), tensor.dtype).reshape(tensor.shape)


def _restored(manifest: ModelManifest, tensors: Mapping[str, Array], name: str) -> Method:
    try:
        return find_method(manifest.method).restore(tensors, manifest.settings, manifest.transform)
    except BlemishError:
        raise
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise ModelFileError(f"{name} cannot be used: its tensors do not make a {manifest.method} ({error}).") from None


def checked_tensors(content: bytes, name: str) -> tuple[ModelManifest, dict[str, Array]]:
    """The manifest and the tensors of a model file, each checked against what its method keeps."""
    return _checked(_opened(content, name), name)


def _is_export(content: bytes) -> bool:
    """Whether the bytes end as an ONNX file of `blemish export` does, or begin as its IR does."""
    return b"blemish.sha256" in content[-84:] or b'<net name="blemish"' in content[:100]


def _opened(content: bytes, name: str) -> Container:
    """The file's container, whose header is sealed. Raises ModelFileError."""
    try:
        box = unpack(content)
    except ValueError as error:
        if _is_export(content):
            raise ModelFileError(
                f"{name} is an export, which can inspect and nothing else (blemish inspect, blemish.Artefact.load); "
                "use the model it was made from."
            ) from None
        raise ModelFileError(f"{name} is not a blemish model, or it is damaged ({error}).") from None
    if MANIFEST not in box.metadata:
        raise ModelFileError(f"{name} is a safetensors file but not a blemish model: its manifest is missing.")
    if not set(box.metadata) <= {*ENTRIES, DIGEST}:
        odd = min(set(box.metadata) - {*ENTRIES, DIGEST})
        raise ModelFileError(f"{name} is damaged: its header holds an entry {odd!r}, which no model has.")
    if DIGEST in box.metadata and (box.metadata[DIGEST] != seal(box.metadata) or not box.canonical):
        raise ModelFileError(f"{name} is damaged: its header is not the one that was written (its digest differs).")
    return box


def _checked(box: Container, name: str) -> tuple[ModelManifest, dict[str, Array]]:
    manifest = _manifest(name, box)
    kinds = tensor_kinds(manifest.settings)
    for newer, since in SINCE.items():
        if manifest.format < since:
            del kinds[newer]
    tensors = dict(box.tensors)
    if manifest.format < SEALED:
        tensors = {each: tensors[each] for each in tensors if each in kinds or each.startswith(JOURNAL)}
        check_old_hashes(name, manifest, tensors)
    check_missing(name, kinds, tensors.keys())
    kinds |= {each: kind_of(name, each, kinds, manifest) for each in tensors if each.startswith(JOURNAL)}
    for each in kinds.keys() & tensors.keys():
        check_tensor(name, each, tensors[each], kinds[each])
    tensors.setdefault("calibration.image", np.arange(len(manifest.images)))
    now = {each: tensors[each] for each in tensors if each in kinds and not each.startswith(JOURNAL)}
    check_sizes(name, now, kinds)
    for field, problem in problems(manifest, len(tensors["calibration.image"])):
        raise ModelFileError(f"{name} cannot be used: field {field} of its manifest: {problem}.")
    return manifest, tensors


def _manifest(file: str, box: Container) -> ModelManifest:
    try:
        fields = parsed(box.metadata[MANIFEST])
        version = fields.get("format") if isinstance(fields, dict) else None
        if isinstance(version, int) and version > FORMAT:
            raise ModelFileError(
                f"{file} has format {version}; this blemish reads up to {FORMAT}. Install a newer blemish."
            )
        if isinstance(version, int) and version >= SEALED:
            if DIGEST not in box.metadata:
                raise ModelFileError(f"{file} is damaged: the digest of its manifest is missing.")
            check_hashes(file, fields.get("sha256"), box.tensors)
            for name in filter(is_record, box.tensors):
                check_tensor(file, name, box.tensors[name], TENSORS[IMAGES])
            fields = with_records(fields, box.tensors)
        check_pictures(fields if isinstance(fields, dict) else {})
        manifest = ModelManifest.model_validate(_from_format_1(fields) if version == 1 else fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise ModelFileError(f"{file} cannot be used: field {field} of its manifest: {first['msg']}.") from None
    except json.JSONDecodeError as error:
        raise ModelFileError(f"{file} is damaged: its manifest is not JSON ({error}).") from None
    except ValueError as error:
        raise ModelFileError(f"{file} cannot be used: {error}.") from None
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
