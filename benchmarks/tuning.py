"""How far `tune` can be trusted: what it chooses from five defects, and from none, against all labelled images.

    BLEMISH_DATA=... python benchmarks/tuning.py --state FOLDER --output

Good images for the memory, and other good and defective ones to test; each test image belongs to one of two halves by
its part. Five defects are drawn from the one half, and what is then chosen is measured on the other.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from machine import data_folder, markdown_table, publish
from scipy.stats import spearmanr

from blemish.arrays import Bools, Doubles, Ints
from blemish.data.protocols.magnetic_tile import read_magnetic_tile
from blemish.data.protocols.solar_cells import solar_cells
from blemish.data.samples import Sample, read_samples
from blemish.evaluation.metrics import auroc
from blemish.options.settings import divide_options
from blemish.system.progress import shown
from blemish.tuning.grid import Candidate, families_of, looks_of
from blemish.tuning.prepare import prepared
from blemish.tuning.rank import Scored, choose, made_evidence, real_evidence, scored
from blemish.tuning.state import Progressed, key_of

DEFECTS, DRAWS = 5, 20


@dataclass(frozen=True)
class Data:
    """The images of one set, in the order they are looked at."""

    good: Sequence[Sample]
    test: Sequence[Sample]

    @property
    def label_R(self) -> Ints:
        return np.array([sample.label for sample in self.test])

    @property
    def half_R(self) -> Bools:
        """Which test images belong to the half that choices are reported on."""
        return np.array([crc32(sample.group.encode()) % 2 == 1 for sample in self.test])


def main() -> None:
    arguments = parse()
    names = arguments.sets.split(",")
    rows, kinds = [], []
    for name in names:
        data = some(SETS[name](), arguments.good, arguments.test)
        candidates, scores, cells = measured(name, data, arguments)
        rows.append(row(name, data, candidates, scores, cells))
        kinds.append(per_candidate(name, data, candidates, scores, cells))
        print(markdown_table(HEADER, rows), file=sys.stderr)
    words = (
        f"At most {arguments.good} good images in the memory, {arguments.test} good and {arguments.test} defective "
        f"ones to test; {DRAWS} draws of {DEFECTS} defects from one half, AUROC on the other; seeds 0 to {DRAWS - 1}."
    )
    publish("tuning", "\n\n".join([markdown_table(HEADER, rows), words, *kinds]), seed=0, keep=arguments.output)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default="elpv-poly,elpv-mono,mtd,bsd", help="which sets, divided by commas")
    parser.add_argument("--good", type=int, default=200, help="good images in the memory")
    parser.add_argument("--test", type=int, default=200, help="good, and defective, images to test, of each so many")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--state", type=Path, required=True, help="a folder that keeps what was measured")
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    return parser.parse_args()


def some(samples: Sequence[Sample], good: int, test: int) -> Data:
    """At most so many images of each kind, drawn by seed 0."""
    random = np.random.default_rng(0)

    def draw(split: str, label: int, most: int) -> list[Sample]:
        own = [sample for sample in samples if sample.split == split and sample.label == label]
        return [own[number] for number in np.sort(random.permutation(len(own))[:most])]

    return Data(draw("train", 0, good), [*draw("test", 0, test), *draw("test", 1, test)])


def cells_of(kind: str) -> list[Sample]:
    """ELPV: 300 functional cells to fit, the others to test."""
    cells = solar_cells("poly" if kind == "poly" else "mono")
    order = np.random.default_rng(0).permutation(len(cells.functional))
    good = [
        Sample(
            cells.functional[number], 0, "good", None, cells.functional[number].name, "train" if place < 300 else "test"
        )
        for place, number in enumerate(order)
    ]
    return good + [Sample(path, 1, "defective", None, path.name, "test") for path in cells.defective]


SETS = {
    "elpv-poly": lambda: cells_of("poly"),
    "elpv-mono": lambda: cells_of("mono"),
    "mtd": lambda: [
        *read_magnetic_tile(data_folder() / "mtd")[1].train,
        *read_magnetic_tile(data_folder() / "mtd")[1].test,
    ],
    "bsd": lambda: read_samples(data_folder() / "bsd"),
}


def measured(name: str, data: Data, arguments: argparse.Namespace) -> tuple[list[Candidate], list[Scored], list[str]]:
    """What each candidate scores; the looks that an earlier run measured are taken from the folder."""
    settings, resources = divide_options({"threads": arguments.threads})
    good, test = ([sample.path for sample in each] for each in (data.good, data.test))
    with shown() as progress:
        groups = [sample.group for sample in data.good]
        candidates, job, _ = prepared(good, test, groups, None, settings, resources, progress)
        progressed = Progressed(arguments.state / f"{name}.state", key_of(job))
        from blemish.tuning.measure import measure

        for family in families_of(looks_of(candidates)):
            if not progressed.has(family):
                progressed.add(measure(job, family))
                print(name, family, file=sys.stderr, flush=True)
    scores = [scored(candidate, progressed.looks) for candidate in candidates]
    return candidates, scores, [drawing.cell for drawing in job.drawings]


HEADER = [
    "set",
    "default",
    "quick",
    "best of the grid",
    "chosen from 5 defects (mean, worst)",
    "short of the best (mean)",
    "chosen from made defects",
    "rank correlation with all labels: 5 defects; made",
]


def aurocs(scores: Sequence[Scored], label_R: Ints, among_R: Bools) -> Doubles:
    """In per cent, of each candidate, on some test images."""
    return np.array([100 * auroc(each.real_R[among_R], label_R[among_R]) for each in scores])


def row(
    name: str, data: Data, candidates: Sequence[Candidate], scores: Sequence[Scored], cells: Sequence[str]
) -> list[str]:
    """What the choices are worth."""
    label_R, report_R = data.label_R, data.half_R
    rate = max(0.01, 1 / (len(data.good) + 1))
    report, every = aurocs(scores, label_R, report_R), aurocs(scores, label_R, np.ones(len(label_R), np.bool_))
    allowed = [True] * len(candidates)
    chosen, agreements = [], []
    defects = np.flatnonzero((label_R == 1) & ~report_R)
    for seed in range(DRAWS):
        drawn = np.random.default_rng(seed).permutation(defects)[:DEFECTS]
        five = [Scored(each.good_N, each.made_M, each.real_R[drawn]) for each in scores]
        values = real_evidence(five, np.arange(len(drawn)), rate)
        chosen.append(report[choose(values, "real", allowed)])
        agreements.append(agreement(values, every))
    values = made_evidence(scores, cells, rate)
    made = choose(values, "made", allowed)
    quick = [str(candidate) for candidate in candidates].index(QUICK(candidates))
    return [
        name,
        f"{report[0]:.1f}",
        f"{report[quick]:.1f}",
        f"{report.max():.1f} ({candidates[int(report.argmax())]})",
        f"{np.mean(chosen):.1f}, {np.min(chosen):.1f}",
        f"{report.max() - np.mean(chosen):.1f}",
        f"{report[made]:.1f} ({candidates[made]})",
        f"{np.mean(agreements):.2f}; {agreement(values, every):.2f}",
    ]


def QUICK(candidates: Sequence[Candidate]) -> str:
    """The look of effort quick: the small size with levels 2+3."""
    singles = [candidate.looks[0] for candidate in candidates if len(candidate.looks) == 1]
    return min((look for look in singles if look.endswith(":2+3")), key=lambda look: int(look.split(":")[0]))


def agreement(values: Doubles, truth: Doubles) -> float:
    """Spearman's rank correlation; 0 where the evidence tells no candidates apart."""
    standing = values.mean(axis=1)
    return 0.0 if np.ptp(standing) == 0 else float(spearmanr(standing, truth).statistic)


def per_candidate(
    name: str, data: Data, candidates: Sequence[Candidate], scores: Sequence[Scored], cells: Sequence[str]
) -> str:
    """Each candidate's AUROC on all test images, beside how well made defects stand out."""
    every = aurocs(scores, data.label_R, np.ones(len(data.label_R), np.bool_))
    made = made_evidence(scores, cells, max(0.01, 1 / (len(data.good) + 1))).mean(axis=1)
    rows = [[str(c), f"{auc:.1f}", f"{100 * each:.1f}"] for c, auc, each in zip(candidates, every, made, strict=True)]
    return markdown_table([f"{name}", "AUROC, all test images", "made defects stand out"], rows)


if __name__ == "__main__":
    main()
