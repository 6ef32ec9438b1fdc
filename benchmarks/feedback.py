"""Feedback against fitting again: 20 good images added to a model, or taken out of it, without a fit.

    BLEMISH_DATA=... python benchmarks/feedback.py --output

Magnetic Tile Defects (published split) and the monocrystalline cells of ELPV (half of the functional ones train, the
other half and all surely defective ones test). Twenty groups of training images are left out of the base; one image of
each is added to it. Removing goes the other way. Both are compared with a fit on the same images, and that with another
one whose coreset merely starts elsewhere.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from machine import Spread, data_folder, markdown_table, publish
from magnetic_tile import thin

import blemish
from blemish.data.protocols.magnetic_tile import read_magnetic_tile
from blemish.data.protocols.solar_cells import solar_cell_task
from blemish.data.protocols.tasks import Task
from blemish.data.samples import Sample
from blemish.evaluation.metrics import auroc
from blemish.methods.patchcore import PatchCore
from blemish.model.feedback import added, removed

ADDED = 20


@dataclass(frozen=True)
class Outcome:
    """One draw of the images that are added and removed."""

    base: float
    """Image AUROC without the images, in percent."""
    add: float
    refit: float
    other: float
    """A refit whose coreset starts with another row."""
    remove: float
    add_seconds: float
    remove_seconds: float
    save_seconds: float
    rows: tuple[int, int]
    """Of the bank before, and how many came."""
    candidates: int
    farther: float
    """After removing: the largest distance of a patch of the other images from the bank, over the bank's radius."""


def main() -> None:
    arguments = parse()
    tasks = {"Magnetic Tile": read_magnetic_tile(data_folder() / "mtd")[0], "ELPV": solar_cell_task()}
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    outcomes = {name: [measure(name, task, seed, arguments.images) for seed in seeds] for name, task in tasks.items()}
    publish("feedback", table(outcomes), seed=arguments.seed, keep=arguments.output)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="so many draws from --seed on")
    parser.add_argument("--images", type=int, help="train and test on so many images only, to try the script")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    return parser.parse_args()


def measure(name: str, task: Task, seed: int, images: int | None) -> Outcome:
    """Add and remove one draw of images, and fit with and without them."""
    print(f"{name}, draw {seed} ...", file=sys.stderr)
    train, tests = thin(task.train, images), thin(task.test, images)
    groups = sorted({sample.group for sample in train})
    drawn = set(np.random.default_rng(seed).choice(groups, min(ADDED, len(groups) // 2), replace=False).tolist())
    base = [sample for sample in train if sample.group not in drawn]
    new = list({sample.group: sample for sample in train if sample.group in drawn}.values())

    detector = fit(base, seed)
    before, rows = ranking(detector, tests), detector.info()["bank"]["rows"]
    add_seconds, detector = timed(
        "added", added, lambda: detector.add([s.path for s in new], groups=[s.group for s in new])
    )
    change = detector.journal[-1]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        detector.save(Path(folder) / "a.blemish")
    save_seconds = time.perf_counter() - began
    after = ranking(detector, tests)

    whole = fit([*base, *new], seed)
    refit, other = ranking(whole, tests), ranking(fit([*base, *new], seed + 1000), tests)
    candidates = whole.info()["candidates"]
    remove_seconds, whole = timed("removed", removed, lambda: whole.remove([str(sample.path) for sample in new]))
    assert isinstance(whole.model.method, PatchCore), "what fit makes by default"
    radius = whole.model.method.looks[0].bank.radius
    far = max(float(s.matches.distance_Q.max()) for s in whole.score_many(s.path for s in base) if s.matches)
    return Outcome(
        before, after, refit, other, ranking(whole, tests), add_seconds, remove_seconds, save_seconds,
        (rows, change.added["bank"]), candidates, far / radius,
    )  # fmt: skip


def fit(samples: Sequence[Sample], seed: int) -> blemish.Detector:
    """With the default preset; the fewest folds, since only the ranking is asked for."""
    paths, groups = [sample.path for sample in samples], [sample.group for sample in samples]
    return blemish.fit(paths, groups=groups, seed=seed, calibration="cross", folds=2)


def ranking(detector: blemish.Detector, tests: Sequence[Sample]) -> float:
    """Image AUROC, in percent."""
    scores = [score.image for score in detector.score_many(sample.path for sample in tests)]
    return 100 * auroc(scores, [sample.label for sample in tests])


def timed(name: str, step: Callable[..., Any], work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the step that follows feature extraction, and what the work answers."""
    seconds = []

    def measured(*arguments: Any, **options: Any) -> Any:
        began = time.perf_counter()
        answer = step(*arguments, **options)
        seconds.append(time.perf_counter() - began)
        return answer

    with mock.patch(f"blemish.detector.{name}", measured):
        answer = work()
    return seconds[0], answer


def table(outcomes: dict[str, list[Outcome]]) -> str:
    """One column a data set; several draws give the median and the range."""

    def row(words: str, value: Callable[[Outcome], float], unit: str) -> list[str]:
        return [words, *(f"{Spread.of(map(value, each))}{unit}" for each in outcomes.values())]

    rows = [
        ["draws", *(str(len(each)) for each in outcomes.values())],
        row("rows of the bank before", lambda o: o.rows[0], ""),
        row(f"rows that {ADDED} images added", lambda o: o.rows[1], ""),
        row("candidates kept for removal", lambda o: o.candidates, ""),
        row(f"adding {ADDED} images, after feature extraction", lambda o: o.add_seconds, " s"),
        row("writing the model file", lambda o: o.save_seconds, " s"),
        row(f"removing {ADDED} images", lambda o: o.remove_seconds, " s"),
        exact("image AUROC before adding", lambda o: o.base, outcomes),
        exact("after adding", lambda o: o.add, outcomes),
        exact("fitted again with them", lambda o: o.refit, outcomes),
        exact("fitted again, the coreset started elsewhere", lambda o: o.other, outcomes),
        exact("adding minus fitting again, points", lambda o: o.add - o.refit, outcomes),
        mean("against the mean of both fits, mean of draws", lambda o: o.add - (o.refit + o.other) / 2, outcomes),
        exact("two fits against each other, points", lambda o: o.refit - o.other, outcomes),
        exact("after removing them again", lambda o: o.remove, outcomes),
        exact("removing minus a fit without them, points", lambda o: o.remove - o.base, outcomes),
        mean("the same, mean of draws", lambda o: o.remove - o.base, outcomes),
        row("farthest patch after removing, over the bank's radius", lambda o: o.farther, ""),
    ]
    return markdown_table(["", *outcomes], rows)


def exact(words: str, value: Callable[[Outcome], float], outcomes: dict[str, list[Outcome]]) -> list[str]:
    """Percent, or points of it, with every draw: a range of three digits would hide what matters here."""
    return [words, *(", ".join(f"{value(outcome):.2f}" for outcome in each) for each in outcomes.values())]


def mean(words: str, value: Callable[[Outcome], float], outcomes: dict[str, list[Outcome]]) -> list[str]:
    """The mean over draws; of adding, against the mean of both fits."""
    return [words, *(f"{statistics.mean(map(value, each)):.2f}" for each in outcomes.values())]


if __name__ == "__main__":
    main()
