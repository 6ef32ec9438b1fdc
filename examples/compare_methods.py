"""Compare methods on the same labelled images; nothing is chosen on the test images.

python examples/compare_methods.py cells
"""

import sys
from pathlib import Path
from typing import Literal

import blemish

METHODS: tuple[Literal["patchcore", "padim", "1-nn"], ...] = ("patchcore", "padim", "1-nn")
SHOWN = ("image AUROC", "false rejects", "misses")


def main(cells: Path) -> None:
    """Fit each method on cells/good, and measure it on the test images of cells/parts.csv."""
    for method in METHODS:
        detector = blemish.fit(cells / "good", method=method)
        found = blemish.evaluate(detector, cells / "parts.csv")
        print(method)
        for measure, value, remark in found.rows():
            if measure in SHOWN:
                print(f"    {measure:<16} {value:<8} {remark}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "cells"))
