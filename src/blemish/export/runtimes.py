"""What runs an export: ONNX Runtime, or OpenVINO for an IR."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, TypeAlias

from blemish.arrays import Array
from blemish.backbones.runtime import onnxruntime as ort
from blemish.errors import ModelFileError, ProviderError

__all__ = ["Runtime", "check_openvino", "in_onnx_runtime", "in_openvino"]

Runtime: TypeAlias = Callable[[Mapping[str, Array]], dict[str, Array]]
"""Inputs by name to outputs by name."""


def in_onnx_runtime(content: bytes, name: str, threads: int) -> tuple[Runtime, str]:
    """An ONNX file, ready to run, and the document in it. Raises ModelFileError where this runtime cannot run it."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises a class of its own per status code
        first = str(error).strip().splitlines()[0]
        raise ModelFileError(
            f"ONNX Runtime {ort.__version__} cannot run {name} ({first[:200]}); install a newer onnxruntime."
        ) from None
    names = [output.name for output in session.get_outputs()]

    def run(feeds: Mapping[str, Array]) -> dict[str, Array]:
        return dict(zip(names, session.run(names, feeds), strict=True))

    return run, session.get_modelmeta().custom_metadata_map.get("blemish", "")


def check_openvino() -> None:
    """Raises ProviderError, saying the line that installs it, where OpenVINO is missing."""
    if not find_spec("openvino"):
        raise ProviderError(
            "An IR needs the package openvino, which is not installed; "
            'install it with: pip install "blemish[openvino]".'
        )


def in_openvino(network: bytes, weights: bytes, name: str, threads: int) -> tuple[Runtime, str]:
    """An IR (.xml and .bin), ready to run, and the document in it. Raises ModelFileError, ProviderError."""
    check_openvino()
    import openvino

    # Some processors would compute in bfloat16 unless told otherwise, and the search has no digits to spare.
    properties = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    core = openvino.Core()
    try:
        model = core.read_model(network, weights)
        compiled: Any = core.compile_model(model, "CPU", properties | {"ENABLE_CPU_PINNING": False})
    except RuntimeError as error:
        last = str(error).strip().splitlines()[-1].strip()
        raise ModelFileError(f"OpenVINO cannot run {name} ({last[:200]}); install a newer openvino.") from None
    # An output keeps the names that it has had inside the graph, too.
    names = [(each, number) for number, output in enumerate(compiled.outputs) for each in output.names]

    def run(feeds: Mapping[str, Array]) -> dict[str, Array]:
        # A request cannot serve two calls at once, and is soon made.
        answers = compiled.create_infer_request().infer(dict(feeds), share_outputs=False)
        return {each: answers[number] for each, number in names}

    return run, model.get_rt_info("blemish").astype(str) if model.has_rt_info("blemish") else ""
