"""Backbones: ONNX networks with named taps, each with a small manifest beside it.

A backbone NAME is two files, NAME.onnx and NAME.json. The built-in ones lie in the package, the
user's in `backbone_folder()`, which can be copied as it is to a machine without network.
"""

import hashlib
import math
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from blemish.errors import BackboneError
from blemish.system.whole_file import sweep, write_whole

__all__ = [
    "Backbone",
    "Manifest",
    "Tap",
    "backbone_folder",
    "choose_folder",
    "import_backbone",
    "list_backbones",
    "load_backbone",
    "measure_taps",
    "write_backbone",
]

BUILT_IN = Path(__file__).parent.parent / "backbones"
DEFAULT_LEVELS = (2, 3)

NAME = r"^[A-Za-z0-9_][A-Za-z0-9._-]*$"
"""Of a backbone: a file name everywhere, and a word in the name of a look."""
Name = Annotated[str, StringConstraints(pattern=NAME)]
Positive = Annotated[float, Field(gt=0)]


class Tap(BaseModel):
    """A named output of a backbone: a feature map of `channels` on a grid with a cell every `stride` pixels.

    `level` numbers strides as ResNet numbers its blocks: 4 is 1, 8 is 2, 16 is 3, 32 is 4 (2 is 0).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    channels: int = Field(gt=0)
    stride: int = Field(gt=0)
    level: int


class Manifest(BaseModel):
    """What must be known of a network to use it.

    The network takes `input`, float32 1 x 3 x H x W holding (RGB / 255 - mean) / std; `size` is its only
    (H, W), None where both are free; `sha256` is that of the ONNX bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    input: str
    mean: tuple[float, float, float]
    std: tuple[Positive, Positive, Positive]
    taps: tuple[Tap, ...] = Field(min_length=1)
    default_taps: tuple[str, ...] = Field(min_length=1)
    size: tuple[int, int] | None
    source: str
    licence: str
    sha256: str

    @model_validator(mode="after")
    def _default_taps_exist(self) -> "Manifest":
        unknown = set(self.default_taps) - {tap.name for tap in self.taps}
        if unknown:
            raise ValueError(f"default_taps names {sorted(unknown)}, which are no taps")
        return self


@dataclass(frozen=True, slots=True)
class Backbone:
    """A network and its manifest."""

    manifest: Manifest
    onnx: bytes


def backbone_folder() -> Path:
    """Where the user's backbones lie: $BLEMISH_HOME/backbones, else in the platform's folder for user data."""
    home = os.environ.get("BLEMISH_HOME")
    return (Path(home) if home else _user_data()) / "backbones"


def load_backbone(name: str) -> Backbone:
    """Load a backbone by its name, or by the path of an .onnx file with its manifest (.json) beside it.

    Raises BackboneError where it is missing, or its bytes are not those the manifest was written for.
    """
    if name.endswith(".onnx"):
        manifest_path = Path(name).with_suffix(".json")
        if not manifest_path.is_file():
            raise BackboneError(
                f"The network {name} has no manifest {manifest_path.name} beside it; "
                f"take it in with `blemish backbone import {name} --taps ...` and use its name."
            )
        return _read_backbone(manifest_path, Path(name))
    for folder in (BUILT_IN, backbone_folder()):
        if (folder / f"{name}.json").is_file():
            return _read_backbone(folder / f"{name}.json", folder / f"{name}.onnx")
    here = ", ".join(manifest.name for manifest in list_backbones())
    raise BackboneError(
        f"There is no backbone {name!r}; there are: {here}. Make it with `blemish backbone export {name}` "
        f"(needs pip install 'blemish[torch]'), or copy {name}.onnx and {name}.json into {backbone_folder()}."
    )


def list_backbones() -> list[Manifest]:
    """Return the manifests of all backbones on this machine, the built-in ones first."""
    return [_read_manifest(path) for folder in (BUILT_IN, backbone_folder()) for path in sorted(folder.glob("*.json"))]


def import_backbone(
    path: Path,
    *,
    name: str,
    taps: Sequence[str],
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    licence: str,
    source: str | None = None,
    folder: Path | None = None,
) -> Manifest:
    """Take the user's own ONNX network in: check it, cut it at its taps, measure them, store it under `name`.

    `taps` name any tensors inside the graph, shallowest first; `mean` and `std` are in units of RGB / 255.
    The result is written to `folder`, by default `backbone_folder()`. Raises BackboneError where the
    network needs other files or custom operators, or a tap is missing or no feature map.
    """
    from blemish.backbones import network

    folder = choose_folder(folder, name=name)
    try:
        model = network.open_network(path.read_bytes())
    except OSError as error:
        raise BackboneError(f"The network {path} cannot be read: {error.strerror}.") from error
    if not taps:
        raise BackboneError("No taps named; name at least one tensor of the network.")
    image = network.image_input(model)
    onnx = network.keep_taps(model, taps).SerializeToString(deterministic=True)
    return write_backbone(
        onnx,
        folder=folder,
        name=name,
        input=image.name,
        mean=mean,
        std=std,
        taps=measure_taps(onnx, taps, image.size),
        size=image.size,
        source=source or f"imported from {path.name}",
        licence=licence,
    )


def choose_folder(folder: Path | None, *, name: str) -> Path:
    """Return where a new backbone goes, `backbone_folder()` by default; there a built-in one's name is refused.

    Raises BackboneError also for what is no name, before anything takes long.
    """
    if re.fullmatch(NAME, name) is None:
        raise BackboneError(
            f"{name!r} cannot name a backbone: give letters from a to z, digits, _, - and dots; - and dots not first."
        )
    folder = folder or backbone_folder()
    if folder == backbone_folder() and (BUILT_IN / f"{name}.json").exists():
        raise BackboneError(f"{name!r} is the name of a built-in backbone; choose another.")
    return folder


def measure_taps(onnx: bytes, names: Sequence[str], size: tuple[int, int] | None) -> list[Tap]:
    """Describe the taps of a network by running it on the CPU.

    Raises BackboneError for one whose work cannot be told before it runs: no model with it could be read again.
    """
    from blemish.backbones.network import FIRST_SIZE, open_network, tap_strides
    from blemish.backbones.shapes import work_of

    work_of(open_network(onnx), (1, 3, *(size or FIRST_SIZE)))
    return [
        Tap(name=name, channels=channels, stride=stride, level=round(math.log2(stride)) - 1)
        for name, (channels, stride) in zip(names, tap_strides(onnx, names, size), strict=True)
    ]


def write_backbone(
    onnx: bytes,
    *,
    folder: Path,
    name: str,
    input: str,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    taps: Sequence[Tap],
    size: tuple[int, int] | None,
    source: str,
    licence: str,
) -> Manifest:
    """Write a network and its manifest under `name` and return the manifest; taps of strides 8 and 16 become default.

    Raises BackboneError for a name that is no file name and for a folder that cannot be written.
    """
    try:
        manifest = Manifest(
            name=name,
            input=input,
            mean=mean,
            std=std,
            taps=tuple(taps),
            default_taps=_default_taps(taps),
            size=size,
            source=source,
            licence=licence,
            sha256=hashlib.sha256(onnx).hexdigest(),
        )
    except ValidationError as error:
        raise BackboneError(f"The backbone {name!r} cannot be described: {_first_problem(error)}.") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        write_whole(folder / f"{name}.onnx", onnx)
        write_whole(folder / f"{name}.json", (manifest.model_dump_json(indent=2) + "\n").encode())
    except OSError as error:
        raise BackboneError(f"The backbone {name!r} cannot be written to {folder}: {error.strerror}.") from error
    return manifest


def _default_taps(taps: Sequence[Tap]) -> tuple[str, ...]:
    """The deepest tap of each default level; the deepest of all where the network has none."""
    deepest = {tap.level: tap.name for tap in taps if tap.level in DEFAULT_LEVELS}
    return tuple(deepest.values()) or tuple(tap.name for tap in taps[-1:])


def _read_backbone(manifest_path: Path, onnx_path: Path) -> Backbone:
    manifest = _read_manifest(manifest_path)
    try:
        onnx = onnx_path.read_bytes()
    except OSError as error:
        raise BackboneError(f"The network {onnx_path} cannot be read: {error.strerror}.") from error
    if hashlib.sha256(onnx).hexdigest() != manifest.sha256:
        raise BackboneError(
            f"The network {onnx_path} is not the one its manifest describes (sha256 differs): "
            "the file is damaged or was exchanged. Export or copy both files again."
        )
    return Backbone(manifest, onnx)


def _read_manifest(path: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BackboneError(f"The manifest {path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        raise BackboneError(f"The manifest {path} is not valid: {_first_problem(error)}.") from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    field = ".".join(str(part) for part in problem["loc"])
    return f"{field}: {problem['msg']}" if field else problem["msg"]


def _user_data() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "blemish"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "blemish"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "blemish"
