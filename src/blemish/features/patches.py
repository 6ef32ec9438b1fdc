"""From one image to its patches: read, size, run the graph on the hardware asked for, and keep what shows the image."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import NamedTuple, Protocol, TypeAlias, cast

import numpy as np

from blemish.arrays import Array, Bools, Floats
from blemish.backbones.runtime import onnxruntime as ort
from blemish.errors import BackboneError, ImageError, ProviderError
from blemish.images.read import Channels, Source, image_name, keep, read_image
from blemish.images.transform import Transform, View, Viewer
from blemish.system.shared import Shared

__all__ = [
    "OPENVINO",
    "PROVIDERS",
    "AnyExtractor",
    "Clock",
    "Extractor",
    "Features",
    "ImagePatches",
    "Look",
    "available_providers",
    "look",
    "make_extractor",
    "seen_patches",
]

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
"""Providers of ONNX Runtime."""
OPENVINO = ("openvino", "openvino-bf16")
"""Providers of the package openvino: in float32, and in bfloat16."""


@dataclass(frozen=True)
class ImagePatches:
    """The patches of one image: those in the cells of the grid that count, row by row."""

    values_QD: Floats
    seen_hw: Bools
    """Which cells count; the others show padding, or what is not to be looked at."""

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.seen_hw.shape

    @classmethod
    def seen(cls, grid_hwD: Floats, seen_hw: Bools) -> "ImagePatches":
        """Of a whole grid of patches, those that count."""
        if seen_hw.all():
            return cls(grid_hwD.reshape(-1, grid_hwD.shape[2]), seen_hw)
        return cls(grid_hwD[seen_hw], seen_hw)


Features: TypeAlias = Mapping[str, ImagePatches]
"""What the graph answers for one image, by the names of its outputs."""


def seen_patches(grids: Mapping[str, Floats], view: View, transform: Transform) -> Features:
    """Of each of the graph's grids (h, w, d), the patches whose centre lies where the image is looked at."""
    return {
        name: ImagePatches.seen(grid_hwD, view.cells(grid_hwD.shape[:2], transform.height, transform.width))
        for name, grid_hwD in grids.items()
    }


class AnyExtractor(Protocol):
    """Answers a sized image (height, width, 3) with the graph's grids (h, w, d) by name, whatever runs the graph."""

    threads: int
    """The number of threads that work on each call."""

    def __call__(self, sized: Array, /) -> dict[str, Floats]: ...


class Clock:
    """Seconds per step of one image."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        """Say that a step has ended."""
        now = time.perf_counter()
        self.seconds[step] = now - self._last
        self._last = now


class Look(NamedTuple):
    """One image as it came and as the network saw it, how it was looked at, and what the graph answered."""

    kept: Source
    """Gives the pixels that were looked at, whatever becomes of the file or the caller's array."""
    sized: Array
    view: View
    features: Features


def look(
    image: Source, viewer: Viewer, extractor: AnyExtractor, *, channels: Channels = "RGB", clock: Clock | None = None
) -> Look:
    """All that a method is told of one image.

    Raises ImageError where the image cannot be used, or the network has no finite answer.
    """
    clock, name = clock or Clock(), image_name(image)
    kept = keep(image, channels=channels, rules=viewer.rules)
    sized, view = viewer(read_image(kept, rules=viewer.rules), name)
    clock.lap("read")
    grids = extractor(sized)
    if not all(np.isfinite(grid_hwD).all() for grid_hwD in grids.values()):
        raise ImageError(f"{name} makes the network answer NaN or infinity; leave it out.")
    clock.lap("network")
    return Look(kept, sized, view, seen_patches(grids, view, viewer.transform))


def available_providers() -> list[str]:
    """The providers of this machine, by their short names."""
    installed = ort.get_available_providers()
    found = [name for name, provider in PROVIDERS.items() if provider in installed]
    return [*found, *OPENVINO] if find_spec("openvino") else found


def make_extractor(graph: bytes, height: int, width: int, *, provider: str = "cpu", threads: int = 1) -> AnyExtractor:
    """A graph prepared for one input size on the hardware asked for: one for all who ask for the same.

    Raises ProviderError, BackboneError.
    """
    make = partial(_made, graph, height, width, provider, threads)
    return _EXTRACTORS.get((graph, height, width, provider, threads), make)


_EXTRACTORS: Shared[tuple[bytes, int, int, str, int], AnyExtractor] = Shared()


def _made(graph: bytes, height: int, width: int, provider: str, threads: int) -> AnyExtractor:
    if provider not in OPENVINO:
        return Extractor(graph, height, width, provider=provider, threads=threads)
    if not find_spec("openvino"):
        raise ProviderError(
            f'Provider "{provider}" needs the package openvino, which is not installed; '
            'install it with: pip install "blemish[openvino]".'
        )
    # Imported only where it is asked for: it is an extra, and takes a while.
    from blemish.features.openvino import OpenVinoExtractor

    return OpenVinoExtractor(graph, height, width, bf16=provider == "openvino-bf16", threads=threads)


class Extractor:
    """Runs a graph on sized images by ONNX Runtime, one image a call; calls may come from several threads at once."""

    def __init__(self, graph: bytes, height: int, width: int, *, provider: str = "cpu", threads: int = 1) -> None:
        """Prepare the graph for one input size; `threads` work on each call. Raises ProviderError, BackboneError."""
        if PROVIDERS.get(provider) not in ort.get_available_providers():
            raise ProviderError(
                f'Provider "{provider}" is not available here; this installation offers '
                f"{', '.join(available_providers())} (blemish doctor says how to install others)."
            )
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Our own threads share these cores: a spinning pool would take them away.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Knowing the size lets the runtime plan memory and layouts once (a third faster on small networks).
        options.add_free_dimension_override_by_name("height", height)
        options.add_free_dimension_override_by_name("width", width)
        options.log_severity_level = 3
        self.threads = threads
        wanted = PROVIDERS[provider]
        try:
            self._session = ort.InferenceSession(graph, options, providers=[wanted])
        except Exception as error:  # ONNX Runtime raises a class of its own per status code
            raise BackboneError(f"ONNX Runtime cannot prepare the network ({str(error).strip()}).") from None
        if self._session.get_providers()[0] != wanted:
            raise ProviderError(f'Provider "{provider}" could not start here; see its installation notes, or use cpu.')
        self._names = [output.name for output in self._session.get_outputs()]

    def __call__(self, sized: Array) -> dict[str, Floats]:
        """The graph's grids (h, w, d) for one sized image (height, width, 3)."""
        answers = cast(list[Floats], self._session.run(self._names, {"image": sized}))
        return dict(zip(self._names, answers, strict=True))
