"""Run the patch graph on the hardware that was asked for, or say that it is not there."""

from typing import cast

import onnxruntime as ort

from blemish.arrays import Array, Floats
from blemish.errors import ProviderError

__all__ = ["PROVIDERS", "Extractor", "available_providers"]

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}


def available_providers() -> list[str]:
    """The providers of this machine's ONNX Runtime, by their short names."""
    installed = ort.get_available_providers()
    return [name for name, provider in PROVIDERS.items() if provider in installed]


class Extractor:
    """Patches of sized images, one image a call; calls may come from several threads at once."""

    def __init__(self, graph: bytes, height: int, width: int, *, provider: str = "cpu", threads: int = 1) -> None:
        """Prepare the graph for one input size; `threads` work on each call. Raises ProviderError."""
        if provider not in available_providers():
            raise ProviderError(
                f'Provider "{provider}" is not available here; this ONNX Runtime offers '
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
        self._session = ort.InferenceSession(graph, options, providers=[wanted])
        if self._session.get_providers()[0] != wanted:
            raise ProviderError(f'Provider "{provider}" could not start here; see its installation notes, or use cpu.')

    def __call__(self, sized: Array) -> Floats:
        """Patches (h, w, d) of one sized image (height, width, 3)."""
        return cast(Floats, self._session.run(["patches"], {"image": sized})[0])
