"""CAVGA-R_u on UCSD Ped2, one model for all clips: pixel AUROC of its attention map, and of its drawing's error.

    BLEMISH_DATA=... python benchmarks/ped2_cavga.py --encoder resnet18.safetensors --output

The paper's figure (85) is on ShanghaiTech Campus, which is the same task on other scenes.
"""

import argparse
import tempfile
import time
from pathlib import Path

from machine import data_folder, markdown_table, publish

import blemish
from blemish.evaluate.protocols.ped2 import PED2
from blemish.evaluate.run import evaluate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", help="weights of ResNet-18; at random without")
    parser.add_argument("--schedule", choices=["short", "published"], default="short")
    parser.add_argument("--epochs", help="other than the schedule's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    arguments = parser.parse_args()
    asked = {name: getattr(arguments, name) for name in ("encoder", "schedule", "epochs", "seed")}
    options = {name: value for name, value in asked.items() if value is not None}
    with tempfile.TemporaryDirectory() as cells:
        (task,) = PED2.tasks(data_folder() / "ped2", Path(cells))
        began = time.perf_counter()
        detector = blemish.fit(
            [s.path for s in task.train], groups=[s.group for s in task.train], method="cavga", **options
        )
        seconds = time.perf_counter() - began
        evaluation = evaluate(detector, task.test, seed=arguments.seed)
    pixels = evaluation.pixels
    assert pixels is not None, "frames come with masks"
    assert pixels.auroc is not None, "frames hold good and defective pixels"
    assert evaluation.auroc is not None, "frames are of both kinds"
    learnt = sum(image.in_memory for image in detector.manifest.images)
    rows = [
        ["frames learnt from", str(learnt)],
        ["pixel AUROC of 1 - attention", f"{100 * pixels.auroc:.2f} %"],
        ["the paper's pixel AUROC, on ShanghaiTech Campus", "85 %"],
        ["frame AUROC of the drawing's error", f"{100 * evaluation.auroc.value:.2f} %"],
        ["fit, threshold included", f"{seconds:.0f} s"],
    ]
    body = f"{detector.info()['encoder']}; {detector.method}\n\n{markdown_table(['', 'measured'], rows)}"
    publish("ped2_cavga", body, seed=arguments.seed, keep=arguments.output)


if __name__ == "__main__":
    main()
