"""Run a graph on the hardware that was asked for, or say that it is not there."""

from importlib.util import find_spec
from typing import Protocol, cast

from blemish.arrays import Array, Floats
from blemish.backbones.runtime import onnxruntime as ort
from blemish.errors import BackboneError, ProviderError

__all__ = ["OPENVINO", "PROVIDERS", "AnyExtractor", "Extractor", "available_providers", "make_extractor"]

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


class AnyExtractor(Protocol):
    """Answers a sized image (height, width, 3) with the graph's grids (h, w, d) by name, whatever runs the graph."""

    threads: int
    """The number of threads that work on each call."""

    def __call__(self, sized: Array, /) -> dict[str, Floats]: ...


def available_providers() -> list[str]:
    """The providers of this machine, by their short names."""
    installed = ort.get_available_providers()
    found = [name for name, provider in PROVIDERS.items() if provider in installed]
    return [*found, *OPENVINO] if find_spec("openvino") else found


def make_extractor(graph: bytes, height: int, width: int, *, provider: str = "cpu", threads: int = 1) -> AnyExtractor:
    """Prepare a graph for one input size on the hardware asked for. Raises ProviderError."""
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
