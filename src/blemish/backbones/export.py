"""Turns a timm network into a backbone; needs the [torch] extra, and nothing else imports this module."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from blemish.arrays import Floats
from blemish.backbones.backbone import Manifest, choose_folder, measure_taps, write_backbone
from blemish.backbones.network import run_taps
from blemish.errors import BackboneError

try:
    import safetensors.torch
    import timm
    import torch

    from blemish.backbones.trace import trace
except ImportError as error:
    raise BackboneError(
        f"Exporting a backbone needs PyTorch and timm ({error}): pip install 'blemish[torch]'"
    ) from error

__all__ = ["export_backbone", "read_state"]

# Agreement asked of every export, relative to the tap's largest value: a wrong graph is off by far more.
TOLERANCE = 1e-3
# An odd, oblong size: a graph that fixed a size or a padding while it was traced fails here.
CHECK_SIZE = (225, 333)


def export_backbone(
    name: str,
    *,
    weights: Path | Literal["random"] | None = None,
    taps: Sequence[str] | None = None,
    size: tuple[int, int] | None = None,
    save_as: str | None = None,
    folder: Path | None = None,
    mean: tuple[float, float, float] | None = None,
    std: tuple[float, float, float] | None = None,
    source: str | None = None,
    licence: str | None = None,
) -> Manifest:
    """Turn the timm network `name` into a backbone and store it as `save_as` in `folder`.

    `weights` is a state dict (.safetensors, or .pth read with weights_only) with timm's or torchvision's names;
    None lets timm download, "random" is for tests of shape and speed. A state dict may hold only the first
    stages: taps whose weights are missing are left out, and `source` says so. Convolutional networks keep a
    free size and have taps "level0" (stride 2) to "level4" (stride 32); transformers have taps "block1", "block2"
    and so on, their patch tokens after the final norm on a grid, at the fixed (H, W) `size`. `mean`, `std` (of
    RGB / 255) and `licence` are timm's where not given. Raises BackboneError where any of this cannot be done.
    """
    folder = choose_folder(folder, name=save_as or name)
    network = _make_network(name, pretrained=weights is None)
    known = network.pretrained_cfg
    if isinstance(weights, Path):
        _load_weights(network, weights)
    fixed = _fix_size(network, size)
    indices = _choose_taps(network, taps)
    features = _run_torch(network, indices, fixed)
    missing = [tap for tap, feature in features.items() if np.isnan(feature).any()]
    kept = {tap: index for tap, index in indices.items() if tap not in missing}
    if not kept:
        raise BackboneError(f"The weights {weights} hold none of the taps {', '.join(missing)} completely.")
    onnx = trace(_Taps(network, kept), list(kept), fixed)
    _check_agreement(onnx, {tap: features[tap] for tap in kept}, fixed)
    return write_backbone(
        onnx,
        folder=folder,
        name=save_as or name,
        input="input",
        mean=mean or known["mean"],
        std=std or known["std"],
        taps=measure_taps(onnx, list(kept), fixed),
        size=fixed,
        source=_source(name, known, weights, source, missing),
        licence=licence or _licence(known, weights),
    )


class _Taps(torch.nn.Module):  # type: ignore[misc]
    """The network as a function from image to taps, and nothing deeper than the last of them."""

    def __init__(self, network: Any, indices: dict[str, int]) -> None:
        super().__init__()
        self.network = network
        self.indices = list(indices.values())
        self.norm = not _has_levels(network)  # a transformer's tokens are meant to be read after its norm

    def forward(self, image: Any) -> tuple[Any, ...]:
        features = self.network.forward_intermediates(
            image,
            indices=self.indices,
            norm=self.norm,
            stop_early=True,
            output_fmt="NCHW",
            intermediates_only=True,
        )
        return tuple(features)


def _make_network(name: str, *, pretrained: bool) -> Any:
    if not timm.is_model(name):
        raise BackboneError(f"timm {timm.__version__} has no network {name!r}; timm.list_models() names those it has.")
    try:
        with torch.random.fork_rng():  # random weights must not move the caller's generator
            torch.manual_seed(0)
            network = timm.create_model(name, pretrained=pretrained).eval()
    except Exception as error:  # the download fails in the ways of three libraries
        raise BackboneError(
            f"timm cannot make {name!r} ({error}). Without network, give --weights FILE, or export on another "
            "machine and copy the backbone's two files."
        ) from error
    if not hasattr(network, "forward_intermediates"):
        raise BackboneError(f"timm {timm.__version__} gives no intermediate features of {name!r}; choose another.")
    return network


def _load_weights(network: Any, path: Path) -> None:
    """Load what the state dict holds and mark the rest as NaN, so that a tap that needs it shows it."""
    given = read_state(path)
    own = network.state_dict()
    fitting = {key: value for key, value in given.items() if key in own and own[key].shape == value.shape}
    if not fitting:
        raise BackboneError(
            f"No weight in {path} fits the network: it holds {_few(given)}, wanted are {_few(own)}. "
            "Give a state dict with timm's or torchvision's names."
        )
    unknown = {key: value.fill_(math.nan) if value.is_floating_point() else value for key, value in own.items()}
    network.load_state_dict(unknown | fitting)


def read_state(path: Path) -> dict[str, Any]:
    """Read a state dict from .safetensors or .pth, without running code. Raises BackboneError."""
    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors share no class of error
        raise BackboneError(f"The weights {path} cannot be read: {str(error).splitlines()[0]}") from error
    for key in ("state_dict", "model"):  # training scripts wrap the state dict
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise BackboneError(f"The weights {path} are no state dict (names to tensors).")
    return state


def _fix_size(network: Any, size: tuple[int, int] | None) -> tuple[int, int] | None:
    """Set the only size a transformer will take, its position embedding resampled to it; None for a free size."""
    if not network.pretrained_cfg.get("fixed_input_size"):
        if size is not None:
            raise BackboneError("This network takes images of any size; leave the size out here and choose it at fit.")
        return None
    if size is None:
        _, height, width = network.pretrained_cfg["input_size"]
        return (height, width)
    try:
        network.set_input_size(img_size=size)
    except Exception as error:  # an assertion or an attribute error, by network
        raise BackboneError(f"The network cannot take images of {size} (height, width): {error}") from error
    return size


def _has_levels(network: Any) -> bool:
    """Whether the stages differ in stride, as in convolutional networks; a transformer's blocks do not."""
    levels = _levels(network)
    return len(set(levels)) == len(levels)


def _levels(network: Any) -> list[int]:
    return [round(math.log2(stage["reduction"])) - 1 for stage in network.feature_info]


def _choose_taps(network: Any, taps: Sequence[str] | None) -> dict[str, int]:
    """Map tap names to timm's indices, shallowest first: all levels, or the blocks at each quarter of the depth."""
    count = len(network.feature_info)
    if _has_levels(network):
        known = {f"level{level}": index for index, level in enumerate(_levels(network)) if level >= 0}
        default = list(known)
    else:
        known = {f"block{index + 1}": index for index in range(count)}
        default = [f"block{math.ceil(count * quarter / 4)}" for quarter in (1, 2, 3, 4)]
    wanted = default if taps is None else taps
    unknown = [tap for tap in wanted if tap not in known]
    if unknown or not wanted:
        raise BackboneError(f"The network has no taps {unknown}; it has {', '.join(known)}.")
    return {tap: index for tap, index in known.items() if tap in wanted}


def _check_image(size: tuple[int, int] | None) -> Floats:
    return np.random.default_rng(0).standard_normal((1, 3, *(size or CHECK_SIZE)), dtype=np.float32)


def _run_torch(network: Any, indices: dict[str, int], size: tuple[int, int] | None) -> dict[str, Floats]:
    """The taps as PyTorch computes them; NaN where a missing weight reaches."""
    with torch.inference_mode():
        features = _Taps(network, indices)(torch.from_numpy(_check_image(size)))
    return {tap: feature.numpy() for tap, feature in zip(indices, features, strict=True)}


def _check_agreement(onnx: bytes, wanted: dict[str, Floats], size: tuple[int, int] | None) -> None:
    for tap, ours in zip(wanted, run_taps(onnx, list(wanted), _check_image(size)), strict=True):
        error = np.abs(ours - wanted[tap]).max() / max(np.abs(wanted[tap]).max(), 1e-12)
        if not error < TOLERANCE:
            raise BackboneError(f"The exported tap {tap!r} differs from PyTorch's by {error:.1e}; it cannot be used.")


def _source(name: str, known: dict[str, Any], weights: Path | str | None, told: str | None, missing: list[str]) -> str:
    if weights is None:
        told = told or f"downloaded weights {known.get('hf_hub_id') or known.get('url')}"
    elif isinstance(weights, Path):
        told = f"weights {told or weights.name}"
    else:
        told = "random weights, for tests of shape and speed only"
    left_out = f"; left out for want of weights: {', '.join(missing)}" if missing else ""
    return f"timm {timm.__version__} {name}, {told}{left_out}"


def _licence(known: dict[str, Any], weights: Path | str | None) -> str:
    if isinstance(weights, Path):
        return "not stated: that of the weights file"
    return str(known.get("license") or "not stated by timm")


def _few(state: dict[str, Any]) -> str:
    return ", ".join([*list(state)[:3], "..."])
