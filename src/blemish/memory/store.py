"""The model file: safetensors with a JSON manifest, written whole or not at all, checked on reading.

docs/file-format.md specifies it. Nothing in it is ever executed; the graph inside is refused when it uses
external data or custom operators.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from blemish.arrays import Array
from blemish.errors import ModelFileError
from blemish.features.backbone import Manifest as BackboneManifest
from blemish.images.transform import Transform
from blemish.scoring.calibrate import Calibration
from blemish.settings import Settings

__all__ = ["FORMAT", "ModelManifest", "TrainingImage", "read_model", "write_model"]

FORMAT = 1
_KEY = "blemish"

_SHAPES: dict[str, tuple[type[np.generic], str]] = {
    "bank.rows": (np.float32, "Kd"),
    "bank.image": (np.int64, "K"),
    "bank.cell": (np.int64, "K"),
    "bank.radii": (np.float32, "K"),
    "calibration.scores": (np.float64, "n"),
    "calibration.peaks": (np.float64, "n"),
    "graph.onnx": (np.uint8, "b"),
}
"""The tensors of format 1: type and axes (K bank rows, d patch dimension, n training images, b bytes)."""


class TrainingImage(BaseModel):
    """One good image the model was fitted on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    group: str
    height: int
    width: int


class ModelManifest(BaseModel):
    """Everything about a model that is not a tensor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    method: str = "patchcore"
    created: str
    blemish: str
    settings: Settings
    transform: Transform
    grid: tuple[int, int]
    """Rows and columns of patches on the network's input."""
    backbone: BackboneManifest
    calibration: Calibration
    images: list[TrainingImage]
    journal: list[dict[str, Any]] = []
    """Reserved: changes made to the bank after fitting, oldest first."""
    sha256: dict[str, str] = {}
    """Of each tensor's bytes; filled in on writing."""


def write_model(path: Path, manifest: ModelManifest, tensors: Mapping[str, Array]) -> None:
    """Write a model under a temporary name, flush it to the disk, and rename it to `path`. Raises ModelFileError."""
    whole = manifest.model_copy(update={"sha256": {name: _hash(tensor) for name, tensor in tensors.items()}})
    content = save(dict(tensors), metadata={_KEY: whole.model_dump_json()})
    if not path.parent.is_dir():
        raise ModelFileError(
            f"The folder {path.parent} does not exist; create it, or choose another place for {path.name}."
        )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise ModelFileError(f"{path} could not be written: {error.strerror or error}; nothing was changed.") from None
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def read_model(path: Path) -> tuple[ModelManifest, dict[str, Array]]:
    """Read and check a model file: version, manifest, types, shapes, hashes. Raises ModelFileError naming the field."""
    if not path.is_file():
        raise ModelFileError(f"{path} does not exist; blemish fit makes model files.")
    try:
        with safe_open(path, framework="numpy") as file:
            content = (file.metadata() or {}).get(_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(f"{path} is not a blemish model, or it is damaged ({error}).") from None
    if content is None:
        raise ModelFileError(f"{path} is a safetensors file but not a blemish model: its manifest is missing.")
    manifest = _manifest(path, content)
    _check_tensors(path, manifest, tensors)
    return manifest, tensors


def _manifest(path: Path, content: str) -> ModelManifest:
    try:
        fields = json.loads(content)
        version = fields.get("format") if isinstance(fields, dict) else None
        if isinstance(version, int) and version > FORMAT:
            raise ModelFileError(
                f"{path} has format {version}; this blemish reads up to {FORMAT}. Install a newer blemish."
            )
        return ModelManifest.model_validate(fields)
    except json.JSONDecodeError as error:
        raise ModelFileError(f"{path} is damaged: its manifest is not JSON ({error}).") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise ModelFileError(f"{path} cannot be used: field {field} of its manifest: {first['msg']}.") from None


def _check_tensors(path: Path, manifest: ModelManifest, tensors: Mapping[str, Array]) -> None:
    lengths = {"n": len(manifest.images)}
    for name, (kind, axes) in _SHAPES.items():
        if name not in tensors:
            raise ModelFileError(f"{path} is damaged: tensor {name} is missing.")
        tensor = tensors[name]
        if tensor.dtype != kind or tensor.ndim != len(axes):
            raise ModelFileError(f"{path} is damaged: tensor {name} is {tensor.dtype} of shape {tensor.shape}.")
        for axis, length in zip(axes, tensor.shape, strict=True):
            if length != lengths.setdefault(axis, length):
                raise ModelFileError(f"{path} is damaged: tensor {name} has {length} {axis}, not {lengths[axis]}.")
        if manifest.sha256.get(name) != _hash(tensor):
            raise ModelFileError(f"{path} is damaged: the sha256 of tensor {name} does not match its manifest.")


def _hash(tensor: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(tensor).data).hexdigest()
