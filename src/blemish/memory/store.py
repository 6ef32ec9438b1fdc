"""The model file: safetensors with a JSON manifest, written whole or not at all, checked on reading.

docs/file-format.md specifies it. Nothing in it is ever executed; the graph inside is refused when it uses
external data or custom operators.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

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
from blemish.whole_file import write_whole

__all__ = ["FORMAT", "TENSORS", "ModelManifest", "TrainingImage", "read_model", "write_model"]

FORMAT: Final = 1
_KEY = "blemish"

TENSORS: dict[str, tuple[type[np.generic], str]] = {
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

    format: Literal[1]
    method: Literal["patchcore"]
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
    """Write a model whole, or leave what was there. Raises ModelFileError."""
    whole = manifest.model_copy(update={"sha256": {name: _hash(tensor) for name, tensor in tensors.items()}})
    content = save(dict(tensors), metadata={_KEY: whole.model_dump_json()})
    if not path.parent.is_dir():
        raise ModelFileError(
            f"The folder {path.parent} does not exist; create it, or choose another place for {path.name}."
        )
    try:
        write_whole(path, content)
    except OSError as error:
        raise ModelFileError(f"{path} could not be written: {error.strerror or error}; nothing was changed.") from None


def read_model(path: Path) -> tuple[ModelManifest, dict[str, Array]]:
    """Read and check a model file: version, manifest, types, shapes, hashes. Raises ModelFileError naming the field."""
    if not path.exists():
        raise ModelFileError(f"{path} does not exist; blemish fit makes model files.")
    if not path.is_file():
        raise ModelFileError(f"{path} is not a file; name a model file made by blemish fit.")
    try:
        with safe_open(path, framework="numpy") as file:
            manifest = _manifest(path, file.metadata())
            missing = TENSORS.keys() - set(file.keys())
            if missing:
                raise ModelFileError(f"{path} is damaged: tensor {min(missing)} is missing.")
            tensors = {name: file.get_tensor(name) for name in TENSORS}
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise ModelFileError(f"{path} is not a blemish model, or it is damaged ({error}).") from None
    for name, tensor in tensors.items():
        _check_tensor(path, manifest, name, tensor)
    _check_sizes(path, manifest, tensors)
    _check_provenance(path, manifest, tensors)
    return manifest, tensors


def _manifest(path: Path, metadata: Mapping[str, str] | None) -> ModelManifest:
    content = (metadata or {}).get(_KEY)
    if content is None:
        raise ModelFileError(f"{path} is a safetensors file but not a blemish model: its manifest is missing.")
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


def _check_tensor(path: Path, manifest: ModelManifest, name: str, tensor: Array) -> None:
    """Type, axes, hash and values of one tensor."""
    kind, axes = TENSORS[name]
    if tensor.dtype != kind or tensor.ndim != len(axes) or 0 in tensor.shape:
        raise ModelFileError(
            f"{path} is damaged: tensor {name} is {tensor.dtype} of shape {tensor.shape}; "
            f"it must be {np.dtype(kind)} with {len(axes)} axes, none of them empty."
        )
    if manifest.sha256.get(name) != _hash(tensor):
        raise ModelFileError(f"{path} is damaged: the sha256 of tensor {name} does not match its manifest.")
    if not np.isfinite(tensor).all():
        raise ModelFileError(f"{path} is damaged: tensor {name} holds NaN or infinity.")


def _check_sizes(path: Path, manifest: ModelManifest, tensors: Mapping[str, Array]) -> None:
    """Axes of one letter have one length."""
    lengths = {"n": len(manifest.images)}
    for name, (_, axes) in TENSORS.items():
        for axis, length in zip(axes, tensors[name].shape, strict=True):
            if length != lengths.setdefault(axis, length):
                raise ModelFileError(f"{path} is damaged: tensor {name} has {length} {axis}, not {lengths[axis]}.")


def _check_provenance(path: Path, manifest: ModelManifest, tensors: Mapping[str, Array]) -> None:
    """Every row of the bank names a training image and a cell of the grid."""
    for name, limit in (("bank.image", len(manifest.images)), ("bank.cell", manifest.grid[0] * manifest.grid[1])):
        lowest, highest = int(tensors[name].min()), int(tensors[name].max())
        if lowest < 0 or highest >= limit:
            raise ModelFileError(
                f"{path} is damaged: tensor {name} names {lowest if lowest < 0 else highest}; "
                f"it must lie in 0 to {limit - 1}."
            )


def _hash(tensor: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(tensor).data).hexdigest()
