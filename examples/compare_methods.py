"""Compare methods on the same labelled images; nothing is chosen on the test images.

python examples/compare_methods.py cells
"""

import sys
from pathlib import Path
from typing import Literal

import blemish
from blemish.data.samples import read_samples
from blemish.evaluation.run import evaluate

METHODS: tuple[Literal["patchcore", "padim", "1-nn"], ...] = ("patchcore", "padim", "1-nn")
SHOWN = ("image AUROC", "false rejects", "misses")


def main(cells: Path) -> None:
    """Fit each method on the training images of cells/parts.csv, and measure it on the others."""
    samples = read_samples(cells / "parts.csv")
    good = [sample for sample in samples if sample.split == "train"]
    test = [sample for sample in samples if sample.split == "test"]
    groups = [sample.group for sample in good]

    for method in METHODS:
        detector = blemish.fit([sample.path for sample in good], groups=groups, method=method)
        found = evaluate(detector, test)
        print(method)
        for measure, value, remark in found.rows():
            if measure in SHOWN:
                print(f"    {measure:<16} {value:<8} {remark}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "cells"))
