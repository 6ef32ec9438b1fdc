"""The peer's side of against_anomalib.py --method padim: anomalib's PaDiM, run by anomalib's own Python.

Prints one JSON object. Runs without network: ResNet-18's weights come from a file.
"""

import argparse
import json
import resource
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import torch
from anomalib.engine import Engine
from anomalib.models import Padim
from anomalib.post_processing import PostProcessor
from anomalib_patchcore import load_weights, make_data, predict, torch_model_alone


def make_model(weights: Path) -> Padim:
    """PaDiM with its defaults (100 random dimensions), on ResNet-18 with the given weights."""
    model = Padim(
        backbone="resnet18",
        layers=["layer1", "layer2", "layer3"],
        pre_trained=False,
        # Normalised scores are clamped to 0..1; raw ones keep the peer's AUROC free of ties.
        post_processor=PostProcessor(enable_normalization=False),
        visualizer=False,
        evaluator=False,
    )
    load_weights(model.model.feature_extractor.feature_extractor, weights)
    return model


def main() -> None:
    ready = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        engine = Engine(accelerator="cpu", default_root_dir=scratch, enable_progress_bar=False)
        model = make_model(arguments.weights)
        start = time.perf_counter()
        engine.fit(model=model, datamodule=make_data(arguments.folder))
        fit_seconds = time.perf_counter() - start
        fit_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        predict(engine, model, arguments.folder / "warm_up")
        scores, predict_ms = predict(engine, model, arguments.folder / "test")
    answer = {
        "ready": ready,
        "fit_seconds": fit_seconds,
        "fit_peak_mb": fit_peak,
        "inspect_ms": predict_ms,
        "model_alone_ms": torch_model_alone(model, arguments.folder / "test"),
        "scores": scores,
        "versions": {"anomalib": version("anomalib"), "torch": version("torch")},
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
