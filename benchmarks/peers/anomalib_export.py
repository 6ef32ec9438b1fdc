"""The peer's side of export_beside_anomalib.py: anomalib's PatchCore, exported by anomalib, in each runtime.

Prints one JSON object. The folder holds train, test and the two images for validation that fit asks for. Pictures are
decoded by anomalib's own data set and resized as its transform does; time is processor time from that tensor to the
answer, on one thread.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
import openvino
import torch
from anomalib.data import PredictDataset
from anomalib.engine import Engine
from anomalib_side import make_data, make_model
from torchvision.transforms.v2.functional import resize

SIZE = (256, 256)
ONE: dict[str, Any] = {"dynamic_axes": {}}
"""Batches of one image. With these versions, the export by default runs on batches of two and on no other."""


class Answer(NamedTuple):
    """Of one image."""

    score: float
    map: Any
    label: bool


Run: TypeAlias = Callable[[Any], Answer]


def of_trained(model: Any) -> Run:
    """The trained model itself, with its processing before and behind."""
    model.eval()

    def run(image: Any) -> Answer:
        with torch.inference_mode():
            said = model(torch.from_numpy(image))
        return Answer(float(said.pred_score), said.anomaly_map.squeeze().numpy(), bool(said.pred_label))

    return run


def in_onnx_runtime(path: Path) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = 1, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(image: Any) -> Answer:
        said = dict(zip(names, session.run(names, {session.get_inputs()[0].name: image}), strict=True))
        return _answer(said)

    return run


def in_openvino(path: Path) -> Run:
    properties = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    compiled = openvino.Core().compile_model(path, "CPU", properties | {"ENABLE_CPU_PINNING": False})
    names = [(name, number) for number, output in enumerate(compiled.outputs) for name in output.names]

    def run(image: Any) -> Answer:
        said = compiled.create_infer_request().infer([image])
        return _answer({name: said[number] for name, number in names})

    return run


def _answer(said: dict[str, Any]) -> Answer:
    label = bool(np.asarray(said["pred_label"]).ravel()[0])
    return Answer(float(np.asarray(said["pred_score"]).ravel()[0]), np.squeeze(said["anomaly_map"]), label)


def beside(trained: Run, exported: Run, images: Sequence[Any]) -> dict[str, float]:
    """The largest differences, over the trained model's own size, and the processor time an image of both."""
    score = peak = 0.0
    labels, times = 0, []
    for image in images:
        exported(image)
        began = time.process_time()
        theirs = exported(image)
        between = time.process_time()
        own = trained(image)
        times.append((between - began, time.process_time() - between))
        score = max(score, abs(theirs.score - own.score) / abs(own.score))
        peak = max(peak, float(np.abs(theirs.map - own.map).max() / np.abs(own.map).max()))
        labels += theirs.label != own.label
    milliseconds = 1000 * np.median(times, axis=0)
    return {"score": score, "map": peak, "verdicts": labels, "ms": milliseconds[0], "trained_ms": milliseconds[1]}


def sized(image: torch.Tensor) -> Any:
    """As its own transform sizes an image before the network: to 256 x 256, antialiased."""
    return resize(image[None], list(SIZE), antialias=True).numpy()


def size(*paths: Path) -> float:
    """In MB."""
    return sum(path.stat().st_size for path in paths) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        engine = Engine(accelerator="cpu", default_root_dir=scratch, enable_progress_bar=False)
        model = make_model("patchcore", arguments.weights)
        engine.fit(model=model, datamodule=make_data(arguments.folder))
        dataset = PredictDataset(arguments.folder / "test", image_size=SIZE)
        images = [sized(dataset[number].image) for number in range(len(dataset))]
        trained = of_trained(model)
        onnx = model.to_onnx(Path(scratch), input_size=SIZE, **ONE)
        ir = model.to_openvino(Path(scratch), input_size=SIZE, onnx_kwargs=ONE)
        answer = {
            "ONNX Runtime": beside(trained, in_onnx_runtime(onnx), images) | {"mb": size(*onnx.parent.glob("*.onnx*"))},
            "OpenVINO": beside(trained, in_openvino(ir), images) | {"mb": size(ir, ir.with_suffix(".bin"))},
            "rows": len(model.model.memory_bank),
            "versions": {each: version(each) for each in ("anomalib", "torch", "onnxruntime", "openvino")},
        }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
