"""Defects among the good images: how many of them a fit names, and what leaving those out does to the misses.

    BLEMISH_DATA=... python benchmarks/contamination.py --output
    BLEMISH_DATA=... python benchmarks/contamination.py --sets bsd --efforts standard --seeds 2 3

Each draw takes good images of a set and plants defective ones of any type among them, so that they are 0, 1, 2 and 5 %
of all; each is fitted anew. Test images, which no fit has seen, tell the misses: of the model that keeps its suspects,
of the one that leaves them out, and of the one fitted on the same good images without any defect. Finished fits are
kept in --cells, so that an interrupted run goes on.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from detection_sets import SETS, thin
from machine import data_folder, markdown_table, publish

from blemish.calibration.suspects import CUTOFF, suspicion
from blemish.data.samples import Sample
from blemish.detector import Detector
from blemish.features.patches import look
from blemish.fitting import fit
from blemish.options.settings import Settings, make_settings

SHARES = (0.0, 0.01, 0.02, 0.05)
TESTED = 40
"""Good and defective test images, about so many of each."""
NOTES = """Means over the draws. Named: good images that are suspects, of all good ones. Found: planted defects that are
suspects. By scores: the same without a look at the rows that images gave to the memory. NG: test images above the
threshold of a model that keeps its suspects, and of one that leaves them out. The clean model is that of 0 %."""


@dataclass(frozen=True)
class Fitted:
    """One fit: whom it named, and what its thresholds do to test images."""

    named: int
    """Good images named."""
    good: int
    found: int
    planted: int
    kept: Sequence[float]
    """The shares of good and of defective test images that are NG where suspects stay."""
    left_out: Sequence[float]
    """The same where they are left out."""
    scores: list[float]
    """What the good images, and behind them the planted ones, score by a memory without them."""

    @property
    def by_scores(self) -> tuple[int, int]:
        """How many good and planted images these scores alone name."""
        high = suspicion(np.array(self.scores)) > CUTOFF
        return int(high[: self.good].sum()), int(high[self.good :].sum())


def main() -> None:
    arguments = parse()
    rows = [row for name in arguments.sets for effort in arguments.efforts for row in rows_of(name, effort, arguments)]
    kept_or_not = ["kept: good NG", "defects NG", "left out: good NG", "defects NG"]
    header = ["images", "named", "found", "by scores: named", "found", *kept_or_not]
    seeds = " and ".join(map(str, arguments.seeds))
    body = f"{markdown_table(header, rows)}\n\n{NOTES} Draws of seed {seeds}, {arguments.good} good images at most."
    publish("contamination", body, seed=arguments.seeds[0], keep=arguments.output)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=["elpv_mono", "bsd"])
    parser.add_argument("--efforts", nargs="+", choices=["quick", "standard", "thorough"], default=["standard"])
    parser.add_argument("--good", type=int, default=150, help="good images of each draw, at most")
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="planted defects, of all images")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="one draw for each")
    parser.add_argument("--cells", type=Path, default=Path("contamination-cells"), help="folder for finished fits")
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    return parser.parse_args()


def rows_of(name: str, effort: str, arguments: argparse.Namespace) -> list[list[str]]:
    """One line for each share of planted defects."""
    return [
        row(
            f"{SETS[name].title}, {effort}, {share:.0%} planted",
            [answer(name, effort, share, seed, arguments) for seed in arguments.seeds],
        )
        for share in arguments.shares
    ]


def row(title: str, fits: list[Fitted]) -> list[str]:
    planted, good = sum(each.planted for each in fits), sum(each.good for each in fits)
    rates = [
        fmean(rates[label] for rates in sides)
        for sides in ([each.kept for each in fits], [each.left_out for each in fits])
        for label in (0, 1)
    ]
    counts = [(each.named, each.found) for each in fits], [each.by_scores for each in fits]
    cells = []
    for named, found in (map(sum, zip(*count, strict=True)) for count in counts):
        cells += [f"{named / good:.1%}", f"{found} of {planted}" if planted else "-"]
    return [title, *cells, *(f"{rate:.1%}" for rate in rates)]


def answer(name: str, effort: str, share: float, seed: int, arguments: argparse.Namespace) -> Fitted:
    """From the folder of finished fits, or fitted now."""
    kept = arguments.cells / f"{name}_{effort}_{arguments.good}_{share}_{seed}.json"
    if kept.is_file():
        return Fitted(**json.loads(kept.read_text(encoding="utf-8")))
    found = measure(name, make_settings(effort=effort), share, seed, arguments.good)
    arguments.cells.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(dataclasses.asdict(found)), encoding="utf-8")
    print(kept.stem, dataclasses.replace(found, scores=[]), file=sys.stderr, flush=True)
    return found


def measure(name: str, settings: Settings, share: float, seed: int, count: int) -> Fitted:
    """Fit on good images and planted defects, with suspects and without, and judge the test images by both."""
    random = np.random.default_rng(seed)
    samples = SETS[name].read(data_folder(), seed)
    good = [sample for sample in samples if sample.split == "train"]
    good = [good[i] for i in random.permutation(len(good))[:count]]
    defective = [sample for sample in samples if sample.label]
    defective = [defective[i] for i in random.permutation(len(defective))]
    planted, tested = defective[: round(share * len(good) / (1 - share))], defective[len(defective) // 5 :]
    sides = (
        thin([sample for sample in samples if sample.split == "test" and not sample.label], TESTED),
        thin(tested, TESTED),
    )
    detector = fit([sample.path for sample in [*good, *planted]], settings=settings, progress=False)
    both = detector, detector.without_suspects()
    kept, left_out = zip(*(rejected(both, side) for side in sides), strict=True)
    suspects = {image.path for image in detector.suspects}
    return Fitted(
        named=sum(str(sample.path) in suspects for sample in good),
        good=len(good),
        found=sum(str(sample.path) in suspects for sample in planted),
        planted=len(planted),
        kept=kept,
        left_out=left_out,
        scores=detector.model.held_out.scores_M.tolist(),
    )


def rejected(detectors: Sequence[Detector], samples: Sequence[Sample]) -> list[float]:
    """The share of these images that each of some detectors with one graph calls NG; each image is looked at once."""
    first = detectors[0]
    counts = [0] * len(detectors)
    for sample in samples:
        features = look(sample.path, first.model.manifest.viewer, first.extractors.alone).features
        for number, detector in enumerate(detectors):
            counts[number] += detector.model.method.score(features).image > detector.threshold
    return [count / len(samples) for count in counts]


if __name__ == "__main__":
    main()
