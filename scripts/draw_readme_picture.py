"""Draw docs/pictures/solar-cells.jpg: good and defective cells of the ELPV data set with their overlays.

The cells are CC BY-NC-SA 4.0 (see NOTICE), and so is the picture. Run it where `make demo` has run.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

import blemish
from blemish.arrays import Bytes
from blemish.cli.whole_job import GOOD_TO_FIT
from blemish.data.protocols.solar_cells import solar_cells

TARGET = Path(__file__).parent.parent / "docs" / "pictures" / "solar-cells.jpg"
GOOD, DEFECTIVE = 2, 4
SIDE, GAP, CAPTION = 220, 6, 26


def column(detector: blemish.Detector, path: Path) -> Bytes:
    """One cell above its overlay, with verdict and score below."""
    result = detector.inspect(path)
    image = result.image()
    drawn = result.overlay(caption=False)
    picture = np.full((2 * SIDE + GAP + CAPTION, SIDE, 3), 255, np.uint8)
    picture[:SIDE] = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    picture[SIDE + GAP : 2 * SIDE + GAP] = cv2.resize(drawn, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    text = f"{result.verdict}  {result.from_threshold}"
    place = (4, 2 * SIDE + GAP + CAPTION - 8)
    colour = (40, 122, 62) if result.verdict is blemish.Verdict.OK else (200, 30, 30)
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
    return picture


def main() -> None:
    cells = solar_cells()
    order = np.random.default_rng(0).permutation(len(cells.functional))
    functional = [cells.functional[i] for i in order]
    detector = blemish.fit(functional[:GOOD_TO_FIT])
    defective = [cells.defective[i] for i in np.random.default_rng(1).permutation(len(cells.defective))]
    shown = [*functional[GOOD_TO_FIT : GOOD_TO_FIT + GOOD], *defective[:DEFECTIVE]]
    columns = [column(detector, path) for path in shown]
    gap = np.full((columns[0].shape[0], GAP, 3), 255, np.uint8)
    joined = np.hstack([part for each in columns for part in (each, gap)][:-1])
    Image.fromarray(joined).save(TARGET, quality=88)


if __name__ == "__main__":
    main()
