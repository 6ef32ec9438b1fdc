"""Run a graph with OpenVINO, which knows bfloat16; needs the [openvino] extra."""

import threading
from typing import Any, cast

import numpy as np
import openvino

from blemish.arrays import Array, Floats
from blemish.errors import ProviderError
from blemish.system.stream import available_threads

__all__ = ["OpenVinoExtractor"]

# Parts of OpenVINO's Python side are made at the first call; two threads that make them at once wait for each other
# for ever (seen with 2026.4). So each extractor makes its first call alone, before any other thread has it.
_FIRST_CALL = threading.Lock()


class OpenVinoExtractor:
    """Runs a graph on sized images, one image a call; calls may come from several threads at once.

    `bf16` computes in bfloat16 (8 significant bits) on processors that have it: about twice as fast, and patches
    move by a few hundredths of their size, so scores do too.
    """

    def __init__(self, graph: bytes, height: int, width: int, *, bf16: bool = False, threads: int = 1) -> None:
        """Prepare the graph for one input size; `threads` work on each call. Raises ProviderError."""
        self.threads = threads
        core = openvino.Core()
        if bf16 and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise ProviderError("This processor does not compute in bfloat16; use the provider openvino or cpu.")
        # OpenVINO divides its threads among streams; with one caller a core, each gets a stream of its own.
        streams = max(1, available_threads() // threads)
        properties = {
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams * threads,
            # Our own threads share these cores.
            "ENABLE_CPU_PINNING": False,
        }
        self._requests = threading.local()
        try:
            model = core.read_model(graph, b"")
            model.reshape({"image": [height, width, 3]})
            self._compiled = core.compile_model(model, "CPU", properties)
            self._names = [output.any_name for output in model.outputs]
        except RuntimeError as error:
            raise ProviderError(f"OpenVINO cannot run this network ({_last_line(error)}); use cpu.") from None
        with _FIRST_CALL:
            self(np.zeros((height, width, 3), self._compiled.input("image").element_type.to_dtype()))

    def __call__(self, sized: Array) -> dict[str, Floats]:
        """The graph's grids (h, w, d) for one sized image (height, width, 3)."""
        answers = self._request().infer({"image": sized}, share_outputs=False)
        return {name: cast(Floats, answers[name]) for name in self._names}

    def _request(self) -> Any:
        """This thread's infer request; one request cannot serve two calls at once."""
        if not hasattr(self._requests, "own"):
            self._requests.own = self._compiled.create_infer_request()
        return self._requests.own


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
