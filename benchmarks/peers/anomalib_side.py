"""The peer's side of against_anomalib.py and end_to_end.py: anomalib's PatchCore or PaDiM, run by its own Python.

Prints one JSON object; with --turns it fits once, then prints one for every line it reads, so that another program
can take turns with it. Runs without network: ResNet-18's weights come from a file.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from anomalib.data import Folder, PredictDataset
from anomalib.engine import Engine
from anomalib.models import Padim, Patchcore
from anomalib.post_processing import PostProcessor
from safetensors.torch import load_file

Model: TypeAlias = Patchcore | Padim
METHODS: dict[str, tuple[Any, dict[str, Any]]] = {
    "patchcore": (Patchcore, {"layers": ["layer2", "layer3"], "coreset_sampling_ratio": 0.01}),
    "padim": (Padim, {"layers": ["layer1", "layer2", "layer3"]}),
}


def make_model(method: str, weights: Path) -> Model:
    """A method with its defaults (PatchCore: 1 % of the patches), on ResNet-18 with the given weights."""
    kind, options = METHODS[method]
    model: Model = kind(
        backbone="resnet18",
        pre_trained=False,
        # Normalised scores are clamped to 0..1; raw ones keep the peer's AUROC free of ties.
        post_processor=PostProcessor(enable_normalization=False),
        visualizer=False,
        evaluator=False,
        **options,
    )
    load_weights(model.model.feature_extractor.feature_extractor, weights)
    return model


def load_weights(network: torch.nn.Module, weights: Path) -> None:
    """Give a ResNet-18 the weights of a file that ends with its third block."""
    absent = network.load_state_dict(load_file(weights), strict=False).missing_keys
    assert all(name.startswith(("layer4", "fc")) or name.endswith("num_batches_tracked") for name in absent), absent


def make_data(folder: Path) -> Folder:
    """The training images; two more, because fit refuses to run without a validation split."""
    return Folder(
        name="magnetic_tile",
        root=folder,
        normal_dir="train",
        normal_test_dir="validate_good",
        abnormal_dir="validate_defective",
        val_split_mode="same_as_test",
        num_workers=0,
        seed=0,
    )


def predict(engine: Engine, model: Model, folder: Path, maps: Path | None = None) -> tuple[dict[str, float], float]:
    """Score each image of a folder, one a batch, as `Engine.predict` does; returns scores and ms an image.

    Anomaly maps go to the folder `maps`, if there is one.
    """
    dataset = PredictDataset(folder, image_size=(256, 256))
    start = time.perf_counter()
    batches = engine.predict(model=model, dataset=dataset)
    milliseconds = 1000 * (time.perf_counter() - start) / len(dataset)
    if maps:
        for batch in batches:
            np.save(maps / Path(batch.image_path[0]).name, batch.anomaly_map[0].squeeze().float().cpu().numpy())
    return {Path(batch.image_path[0]).name: float(batch.pred_score[0]) for batch in batches}, milliseconds


def torch_model_alone(model: Model, folder: Path) -> float:
    """ms an image without the engine: read, resize, score, map."""
    dataset = PredictDataset(folder, image_size=(256, 256))
    model.eval()
    start = time.perf_counter()
    with torch.inference_mode():
        for index in range(len(dataset)):
            model(dataset[index].image[None])
    return 1000 * (time.perf_counter() - start) / len(dataset)


def main() -> None:
    ready = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--method", choices=list(METHODS), default="patchcore")
    parser.add_argument("--maps", type=Path, help="folder for the anomaly maps of the test images, as NAME.npy")
    parser.add_argument("--turns", action="store_true", help="predict once for each line of standard input")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        engine = Engine(accelerator="cpu", default_root_dir=scratch, enable_progress_bar=False)
        model = make_model(arguments.method, arguments.weights)
        start = time.perf_counter()
        engine.fit(model=model, datamodule=make_data(arguments.folder))
        fit_seconds = time.perf_counter() - start
        fit_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        predict(engine, model, arguments.folder / "warm_up")
        for _ in sys.stdin if arguments.turns else ["once"]:
            scores, predict_ms = predict(engine, model, arguments.folder / "test", arguments.maps)
            answer = {
                "ready": ready,
                "fit_seconds": fit_seconds,
                "fit_peak_mb": fit_peak,
                "inspect_ms": predict_ms,
                "model_alone_ms": torch_model_alone(model, arguments.folder / "test"),
                "scores": scores,
                "versions": {"anomalib": version("anomalib"), "torch": version("torch")},
            }
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
