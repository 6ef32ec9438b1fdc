"""CAVGA-R_u on UCSD Ped2, one model for all clips: pixel AUROC of its attention map, and of its drawing's error.

    BLEMISH_DATA=... python benchmarks/ped2_cavga.py --encoder resnet18.safetensors --epochs 1 8 32 --output

The paper's figure (85) is on ShanghaiTech Campus, which is the same task on other scenes.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from machine import data_folder, markdown_table, publish

import blemish
from blemish.arrays import Floats
from blemish.data.protocols.ped2 import PED2
from blemish.data.protocols.tasks import Task
from blemish.evaluation.masks import sample_mask
from blemish.evaluation.run import evaluate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", help="weights of ResNet-18; at random without")
    parser.add_argument("--schedule", choices=["short", "published"], default="short")
    parser.add_argument("--epochs", nargs="+", help="other than the schedule's; a column each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    arguments = parser.parse_args()
    asked = {name: getattr(arguments, name) for name in ("encoder", "schedule", "seed")}
    options = {name: value for name, value in asked.items() if value is not None}
    with tempfile.TemporaryDirectory() as cells:
        (task,) = PED2.tasks(data_folder() / "ped2", Path(cells))
        columns = [
            measure(task, options if epochs is None else options | {"epochs": epochs})
            for epochs in arguments.epochs or [None]
        ]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0] if name != "encoder"]
    body = f"{columns[0]['encoder']}.\n\n{markdown_table(['', *('measured' for _ in columns)], rows)}"
    publish("ped2_cavga", body, seed=arguments.seed, keep=arguments.output)


def measure(task: Task, options: Mapping[str, Any]) -> dict[str, str]:
    """One training, as a column."""
    began = time.perf_counter()
    detector = blemish.fit(
        [s.path for s in task.train], groups=[s.group for s in task.train], method="cavga", **options
    )
    seconds = time.perf_counter() - began
    evaluation = evaluate(detector, task.test)
    pixels, good, defective = evaluation.pixels, Moments(), Moments()
    for sample, result in zip(task.test, detector.inspect_many(s.path for s in task.test), strict=True):
        assert result.anomaly_map is not None, "CAVGA draws maps"
        mask_HW = sample_mask(sample, result.anomaly_map.shape)
        assert mask_HW is not None, "frames come with masks"
        good.add(result.anomaly_map[~mask_HW])
        defective.add(result.anomaly_map[mask_HW])
    assert pixels is not None, "frames come with masks"
    assert pixels.auroc is not None, "frames hold good and defective pixels"
    assert evaluation.auroc is not None, "frames are of both kinds"
    return {
        "encoder": str(detector.info()["encoder"]),
        "training": str(detector.model.method),
        "frames learnt from": str(sum(image.in_memory for image in detector.manifest.images)),
        "pixel AUROC of 1 - attention": f"{100 * pixels.auroc:.2f} %",
        "the paper's pixel AUROC, on ShanghaiTech Campus": "85 %",
        "1 - attention on good pixels, mean and deviation": str(good),
        "1 - attention on defective pixels": str(defective),
        "frame AUROC of the drawing's error": f"{100 * evaluation.auroc.value:.2f} %",
        "fit, threshold included": f"{seconds:.0f} s",
    }


class Moments:
    """Mean and standard deviation of values that come in parts."""

    def __init__(self) -> None:
        self.count, self.sum, self.squares = 0, 0.0, 0.0

    def add(self, values: Floats) -> None:
        self.count += values.size
        self.sum += float(values.sum(dtype=np.float64))
        self.squares += float(np.square(values, dtype=np.float64).sum())

    def __str__(self) -> str:
        mean = self.sum / self.count
        return f"{mean:.3f} ± {max(0.0, self.squares / self.count - mean**2) ** 0.5:.3f}"


if __name__ == "__main__":
    main()
