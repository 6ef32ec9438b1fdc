"""From trained torch networks to the graph that inspects: pixels in, the grids "score" and "map" out."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from blemish.arrays import Array
from blemish.backbones.backbone import Backbone, Manifest, Tap
from blemish.backbones.trace import trace
from blemish.features.graph import Grid, build_graph
from blemish.images.transform import Transform
from blemish.methods.good_images import GoodImages
from blemish.system.stream import stream

__all__ = ["answer_graph", "planes", "sized_images", "traced_graph"]


def sized_images(good: GoodImages, numbers: Sequence[int]) -> Array:
    """The pixels of these images as the graph sees them, N x height x width x 3 (uint8 or uint16)."""
    images: Iterator[Array] = stream(lambda number: good.sized(number)[0], numbers, threads=good.threads)
    return np.stack(list(images))


def planes(pixels: Array) -> Any:
    """Pixels (N x H x W x 3) as torch takes them: N x 3 x H x W, 0 to 1."""
    unit = np.float32(1 / np.iinfo(pixels.dtype).max)
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32) * unit)


def traced_graph(module: Any, transform: Transform, *, mean: float, std: float) -> bytes:
    """The graph of a module that answers one image, 1 x 3 x H x W holding (RGB / 255 - mean) / std, with map and score.

    Both are 1 x 1 x h x w; the score's grid is a single cell.
    """
    size = transform.height, transform.width
    with torch.no_grad():
        onnx = trace(module, ["map", "score"], size)
    return answer_graph(onnx, "input", {"map": "map", "score": "score"}, (mean,) * 3, (std,) * 3, transform)


def answer_graph(
    onnx: bytes,
    network_input: str,
    answers: Mapping[str, str],
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    transform: Transform,
) -> bytes:
    """Put the normalisation of pixels before a network whose tensors, 1 x d x h x w, are answers by name."""
    taps = {name: Tap(name=tensor, channels=1, stride=1, level=0) for name, tensor in answers.items()}
    manifest = Manifest(
        name="trained",
        input=network_input,
        mean=mean,
        std=std,
        taps=tuple(taps.values()),
        default_taps=tuple(answers.values()),
        size=(transform.height, transform.width),
        source="trained here",
        licence="that of the images it was trained on",
        sha256=hashlib.sha256(onnx).hexdigest(),
    )
    grids = {name: Grid([tap], patch_size=1) for name, tap in taps.items()}
    return build_graph(Backbone(manifest, onnx), grids, pixels=transform.codes)
