"""Promises on real parts: are as few good parts rejected as was promised, when images come as users have them?

Each draw takes other parts of a data set, spoils their images in one of four ways, fits (and calibrates), and counts
how many parts that nothing has seen are NG.

    copies      every image a second time, under another name
    masks       black masks beside the images of the folder
    seen        calibrated on the images of the memory, copied (to be refused), then on new ones and copies of them
    exposures   several pictures of each part, without groups

PYTHONPATH=tests:benchmarks python tests/campaigns/promises.py --keep FILE

The scenarios take turns; `--scenario exposures` makes that one's draws alone, the same as in a whole run, and
`--first 184` begins behind the draws of an earlier run.
"""

import argparse
import math
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from blemish.arrays import Bytes
from blemish.calibrating import calibrate
from blemish.data.protocols.magnetic_tile import tiles
from blemish.data.protocols.solar_cells import solar_cells
from blemish.detector import Detector
from blemish.errors import DataError
from blemish.fitting import fit
from blemish.result import Verdict

__all__ = ["SCENARIOS", "Draw", "Part", "draws", "magnetic_tiles", "most_broken", "solar_cell_parts"]

RATE, CONFIDENCE = 0.1, 0.95
FITTED, NEW, UNSEEN = 66, 33, 60
"""Parts that each draw fits on, calibrates on besides, and is tested on. 29 held out support the promise."""
OPTIONS: dict[str, Any] = {"size": 64, "coreset": 200, "false_rejects": RATE, "confidence": CONFIDENCE}

Part = Sequence[Bytes]
"""The pictures of one part."""


@dataclass(frozen=True)
class Draw:
    """What came of one draw."""

    scenario: str
    promised: float | None
    """None where nothing was promised."""
    above: int
    """Parts kept from the memory that may score above the threshold, of `held`."""
    held: int
    rejected: int
    unseen: int
    counted: int
    """The parts that the model counts among its images."""

    @property
    def broken(self) -> bool:
        return self.promised is not None and self.rejected > self.promised * self.unseen

    @property
    def chance(self) -> float:
        """How likely a sound promise is to look broken on so few unseen parts.

        The share above the k-th largest of n scores is Beta(k, n - k + 1) distributed, so that the number rejected is
        beta-binomial. Where more than that look broken, promises are not kept.
        """
        if self.promised is None:
            return 0.0
        a, b, m = self.above + 1, self.held - self.above, self.unseen
        fewest = math.floor(self.promised * m + 1e-9) + 1
        return sum(math.comb(m, k) * math.exp(_beta(a + k, b + m - k) - _beta(a, b)) for k in range(fewest, m + 1))


def _beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def most_broken(found: Sequence[Draw]) -> float:
    """So many broken promises are still within chance (mean and 2.33 standard deviations: 99 %)."""
    chances = [draw.chance for draw in found]
    return sum(chances) + 2.33 * math.sqrt(sum(chance * (1 - chance) for chance in chances))


def solar_cell_parts() -> list[Part]:
    """Functional solar cells; their further pictures are made: other light, other noise."""
    return [_exposures(number, np.asarray(Image.open(path))) for number, path in enumerate(solar_cells().functional)]


def _exposures(seed: int, image: Bytes) -> Part:
    random = np.random.default_rng(seed)
    darker = image * random.uniform(0.7, 0.9) + random.normal(0, 2, image.shape)
    return [image, np.clip(darker, 0, 255).astype(np.uint8)]


def magnetic_tiles(folder: Path) -> list[Part]:
    """Good tiles, with the pictures that were taken of each under several exposures."""
    images = sorted(folder.glob("MT_*/Imgs/*.jpg"))
    tile_of = tiles(images)
    touched = {tile_of[path] for path in images if path.parent.parent.name != "MT_Free"}
    parts: dict[int, list[Bytes]] = {}
    for path in images:
        if tile_of[path] not in touched:
            parts.setdefault(tile_of[path], []).append(np.asarray(Image.open(path).convert("L")))
    return [pictures[:2] for pictures in parts.values()]


def _copies(fitted: list[Part], new: list[Part], folder: Path) -> Detector | None:
    images = [part[0] for part in fitted]
    return fit(
        images + [image.copy() for image in images], calibration="split", held_out=0.5, progress=False, **OPTIONS
    )


def _masks(fitted: list[Part], new: list[Part], folder: Path) -> Detector | None:
    for number, part in enumerate(fitted):
        Image.fromarray(part[0]).save(folder / f"{number}.bmp")
        Image.fromarray(np.zeros_like(part[0])).save(folder / f"{number}.png")
    return fit(folder, calibration="split", held_out=0.5, progress=False, **OPTIONS)


def _seen(fitted: list[Part], new: list[Part], folder: Path) -> Detector | None:
    detector = fit([part[0] for part in fitted], calibration="cross", progress=False, **OPTIONS)
    try:
        return calibrate(detector, [("copy", part[0].copy()) for part in fitted], progress=False)
    except DataError:
        pass
    images = [part[0] for part in new]
    return calibrate(detector, images + images, progress=False)


def _pictures(fitted: list[Part], new: list[Part], folder: Path) -> Detector | None:
    images = [picture for part in fitted for picture in part]
    return fit(images, calibration="split", held_out=0.5, progress=False, **OPTIONS)


SCENARIOS: dict[str, Callable[[list[Part], list[Part], Path], Detector | None]] = {
    "copies": _copies,
    "masks": _masks,
    "seen": _seen,
    "exposures": _pictures,
}


def draws(parts: Sequence[Part], count: int, *, first: int = 0, scenario: str | None = None) -> list[Draw]:
    """So many draws, the scenarios by turns; of those, where one is named, its own."""
    return [_draw(parts, seed) for seed in range(first, first + count) if scenario in (None, _scenario(seed))]


def _scenario(seed: int) -> str:
    return list(SCENARIOS)[seed % len(SCENARIOS)]


def _draw(parts: Sequence[Part], seed: int) -> Draw:
    scenario = _scenario(seed)
    order = np.random.default_rng(seed).permutation(len(parts))[: FITTED + NEW + UNSEEN]
    chosen = [parts[number] for number in order]
    several = scenario == "exposures"
    unseen = [part if several else part[:1] for part in chosen[FITTED + NEW :]]
    with tempfile.TemporaryDirectory() as folder:
        detector = SCENARIOS[scenario](chosen[:FITTED], chosen[FITTED : FITTED + NEW], Path(folder))
    assert detector is not None
    calibration = detector.manifest.calibration
    rejected = sum(any(detector.inspect(picture).verdict is Verdict.NG for picture in part) for part in unseen)
    promise = calibration.promise
    return Draw(
        scenario,
        None if promise is None else max(promise, RATE),
        calibration.above,
        calibration.groups,
        rejected,
        len(unseen),
        len({image.group for image in detector.manifest.images}),
    )


def _row(name: str, found: Sequence[Draw]) -> str:
    promised = [draw for draw in found if draw.promised is not None]
    broken, parts = sum(draw.broken for draw in promised), sum(draw.unseen for draw in found)
    rejected, counted = sum(draw.rejected for draw in found) / parts, np.mean([draw.counted for draw in found])
    return (
        f"| {name} | {len(found)} | {len(promised)} | {broken} | {most_broken(promised):.1f} | {rejected:.1%} | "
        f"{counted:.1f} |"
    )


def report(found: dict[str, list[Draw]]) -> str:
    """The table of the results page."""
    lines = [
        "| data set, scenario | draws | promises | looked broken | within chance | good parts NG | parts counted |",
        "|---|---|---|---|---|---|---|",
    ]
    for data, of_data in found.items():
        for scenario in SCENARIOS:
            if own := [draw for draw in of_data if draw.scenario == scenario]:
                lines.append(_row(f"{data}, {scenario}", own))
        if of_data:
            lines.append(_row(f"{data}, all", of_data))
    return "\n".join(lines)


def main() -> None:
    """Run the campaign; `--keep` writes its result every few draws, so that a stopped run leaves what it found."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--draws", type=int, default=200, help="on each data set")
    arguments.add_argument("--first", type=int, default=0, help="the draw to begin with")
    arguments.add_argument("--scenario", choices=SCENARIOS, help="the draws of this one alone")
    arguments.add_argument("--keep", type=Path, help="the page to write")
    given = arguments.parse_args()
    sets = {"ELPV": solar_cell_parts()}
    if folder := os.environ.get("BLEMISH_DATA"):
        sets["Magnetic Tile"] = magnetic_tiles(Path(folder) / "mtd")
    found: dict[str, list[Draw]] = {name: [] for name in sets}
    end = given.first + given.draws
    for first in range(given.first, end, 8):
        for name, parts in sets.items():
            found[name] += draws(parts, min(8, end - first), first=first, scenario=given.scenario)
        print(report(found), flush=True)
        if given.keep:
            given.keep.write_text(_PAGE.format(table=report(found), rate=RATE, confidence=CONFIDENCE), encoding="utf-8")


_PAGE = """# Promises on real parts

`python tests/campaigns/promises.py --keep FILE`: at most {rate:.0%} of good parts NG, with {confidence:.0%} confidence,
asked of every draw. A promise looks broken where more of 60 unseen parts are NG than promised; on so few parts a sound
one does so at times, and the column beside says how many are within chance.

{table}
"""


if __name__ == "__main__":
    main()
