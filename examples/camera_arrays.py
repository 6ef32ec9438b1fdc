"""Inspect frames as OpenCV hands them over: arrays of H x W x 3 in the order blue, green, red, without files.

python examples/camera_arrays.py cells
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import blemish


def camera(folder: Path) -> Iterator[NDArray[np.uint8]]:
    """Stands for a camera: replace it with what `cv2.VideoCapture(0).read()` or your grabber returns."""
    for path in sorted(folder.glob("*.png")):
        frame = cv2.imread(str(path), cv2.IMREAD_COLOR)
        assert frame is not None, path
        yield np.asarray(frame, np.uint8)


def main(cells: Path) -> None:
    """Fit on good frames, then judge each frame of the line as it comes."""
    # fit takes arrays in RGB; OpenCV turns one order into the other.
    good = [np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8) for frame in camera(cells / "good")]
    detector = blemish.fit(good)

    # inspect_many keeps all cores busy and holds only a few frames at a time; it takes BGR when told so.
    for number, result in enumerate(detector.inspect_many(camera(cells / "line"), channels="BGR")):
        print(f"frame {number}: {result.verdict}, score {result.score:.1f} (threshold {result.threshold:.1f})")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "cells"))
