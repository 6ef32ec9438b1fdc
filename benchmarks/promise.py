"""Is the promise kept? Thresholds set as blemish sets them, over and over, against the truth.

    BLEMISH_DATA=... python benchmarks/promise.py

Simulated scores: the world is a million parts drawn once from a law; every trial draws a calibration set from it, sets
the threshold, and counts which share of the world it rejects. Real scores: the good parts of Magnetic Tile and of ELPV
(functional monocrystalline cells). `fit` keeps a pool of parts from its memory and scores each of their images once;
then every split draws a calibration set from the pool by part. Several memories take turns.
"""

import argparse
import csv
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from machine import data_folder, markdown_table, publish

import blemish
from blemish.arrays import Doubles
from blemish.calibration.held_out import group_scores
from blemish.calibration.promise import allowed_above, parts_needed
from blemish.calibration.thresholds import Calibration, Wanted, set_thresholds
from blemish.data.protocols.solar_cells import solar_cells

CONFIDENCE = 0.95
WORLD = 1_000_000
BLOCK = 1000
"""Calibrations simulated at once."""
IMAGES_PER_PART = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000, help="calibrations per law, rate and number of parts")
    parser.add_argument("--splits", type=int, default=200, help="calibrations per data set and rate")
    parser.add_argument("--memories", type=int, default=2, help="memories that take turns, each with a pool of its own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", action="store_true", help="keep the tables in benchmarks/results")
    arguments = parser.parse_args()
    body = [SIMULATED, simulated(arguments), REAL, *real(arguments)]
    publish("promise", "\n\n".join(body), seed=arguments.seed, keep=arguments.output)


SIMULATED = f"""## Simulated scores

Promise: at most RATE of good parts rejected, with {CONFIDENCE:.0%} confidence. "Kept" is the share of calibrations
whose threshold rejects at most that share of the world; it must be {CONFIDENCE:.0%} or more, but for
chance (three standard errors of 10,000 trials are 0.7 %; laws share their draws).
The parts are the fewest that support the rate, then the fewest that leave one score above the threshold, then 2,000."""

REAL = f"""## Real scores

A memory is fitted on some parts; the others are the pool, each image scored once. "Parts" are calibrated on. "Kept in
the pool" counts calibrations that reject at most RATE of all parts of the pool, which is the population they are drawn
from: the theorem speaks of it, and the figure must be {CONFIDENCE:.0%} or
more, but for chance. "Kept on the rest" counts those that
reject at most RATE of the parts left over; few parts are left, so chance alone breaks it more often, and the figure
beside it is what exchangeable scores give. "Redrawn" draws parts with replacement, as an endless line of such parts
would: then there are as many as wanted."""


# Simulated scores


def _grouped(random: np.random.Generator, count: int) -> Doubles:
    """The highest of the scores of a part's images, which share most of their deviation."""
    part, image = random.normal(size=(count, 1)), random.normal(size=(count, IMAGES_PER_PART))
    return np.asarray((part + 0.5 * image).max(axis=1))


LAWS: dict[str, Callable[[np.random.Generator, int], Doubles]] = {
    "normal": lambda random, count: random.normal(size=count),
    "lognormal": lambda random, count: random.lognormal(sigma=1.5, size=count),
    "Cauchy (no mean)": lambda random, count: random.standard_cauchy(count),
    "one part in 100 twenty times as far": lambda random, count: (
        random.exponential(size=count) * np.where(random.random(count) < 0.01, 20, 1)
    ),
    "counts (ties)": lambda random, count: random.poisson(2.0, count).astype(np.float64),
    "three values": lambda random, count: random.choice([0.0, 1.0, 2.0], size=count, p=[0.985, 0.01, 0.005]),
    f"{IMAGES_PER_PART} images a part": _grouped,
}


def simulated(arguments: argparse.Namespace) -> str:
    rows = []
    for rate in (0.005, 0.01):
        for parts in (parts_needed(rate, CONFIDENCE), first_with_one_above(rate), 2000):
            for law, draw in LAWS.items():
                print(f"{rate:.1%}, {parts} parts, {law} ...", file=sys.stderr)
                random = np.random.default_rng(arguments.seed)
                world = np.sort(draw(random, WORLD))
                rejected = shares_above(world, thresholds(world, parts, rate, random, arguments.trials))
                kept = f"{(rejected <= rate).mean():.2%}"
                rows.append([law, f"{rate:.1%}", str(parts), kept, *tightness(rejected, rate)])
    return markdown_table(["law", "rate", "parts", "kept", "median rejected", "of the bound"], rows)


def thresholds(world: Doubles, parts: int, rate: float, random: np.random.Generator, trials: int) -> Doubles:
    """The thresholds blemish sets on so many parts of the world, drawn anew each time."""
    found = []
    for start in range(0, trials, BLOCK):
        scores = world[random.integers(len(world), size=(min(BLOCK, trials - start), parts))]
        first = calibrated(scores[0], [str(part) for part in range(parts)], rate)
        # What set_thresholds takes, many calibrations at a time.
        found.append(np.sort(scores, axis=1)[:, parts - 1 - first.above])
        assert found[-1][0] == first.threshold, "one way to a threshold"
    return np.concatenate(found)


def calibrated(scores: Doubles, groups: Sequence[str], rate: float) -> Calibration:
    wanted = Wanted(false_rejects=rate, confidence=CONFIDENCE, review=0)
    return set_thresholds(scores, scores, groups, wanted, mode="split")


def shares_above(sorted_scores: Doubles, thresholds: Doubles) -> Doubles:
    return np.asarray(1 - np.searchsorted(sorted_scores, thresholds, side="right") / len(sorted_scores))


def first_with_one_above(rate: float) -> int:
    """The fewest parts of which one may score above the threshold."""
    parts = parts_needed(rate, CONFIDENCE)
    while allowed_above(parts, rate, CONFIDENCE) == 0:
        parts += 1
    return parts


def tightness(rejected: Doubles, rate: float) -> list[str]:
    median = float(np.median(rejected))
    return [f"{median:.2%}", f"{median / rate:.2f}"]


# Real scores


@dataclass(frozen=True)
class GoodParts:
    """The good images of a data set, and how many of its parts each memory leaves to the pool."""

    name: str
    images: list[str]
    groups: list[str]
    pool: int
    calibrated_on: int


def good_parts() -> list[GoodParts]:
    with (data_folder() / "mtd" / "groups.csv").open(encoding="utf-8") as lines:
        tiles = [(row["path"], row["group"]) for row in csv.DictReader(lines) if row["path"].startswith("MT_Free/")]
    paths = [str(data_folder() / "mtd" / path) for path, _ in tiles]
    cells = [str(path) for path in solar_cells().functional]
    return [
        GoodParts("Magnetic Tile", paths, [group for _, group in tiles], pool=113, calibrated_on=75),
        GoodParts("ELPV", cells, cells, pool=438, calibrated_on=290),
    ]


def real(arguments: argparse.Namespace) -> list[str]:
    split_rows, redrawn_rows = [], []
    for good in good_parts():
        pools = [pool_scores(good, arguments.seed + memory) for memory in range(arguments.memories)]
        for rate in (0.02, 0.05):
            random = np.random.default_rng(arguments.seed)
            split_rows.append(splits(good, pools, rate, random, arguments.splits))
            redrawn_rows.append(redrawn(good, pools, rate, random, arguments.splits))
    header = ["parts drawn without replacement", "rate", "parts", "kept in the pool", "kept on the rest", "by chance"]
    tight = ["median rejected", "of the bound"]
    return [
        markdown_table([*header, *tight], split_rows),
        markdown_table(["redrawn", "rate", "parts", "kept in the pool", *tight], redrawn_rows),
    ]


def pool_scores(good: GoodParts, seed: int) -> Doubles:
    """The score of each part that a memory fitted on the others has never seen."""
    print(f"{good.name}, memory {seed} ...", file=sys.stderr)
    detector = blemish.fit(good.images, groups=good.groups, calibration="split", held_out=good.pool, seed=seed)
    held_out = detector.model.held_out
    return group_scores(held_out.scores_M, [good.groups[image] for image in held_out.image_M])


def splits(good: GoodParts, pools: list[Doubles], rate: float, random: np.random.Generator, count: int) -> list[str]:
    """Calibrate on some parts of the pool; what share of the rest, and of the whole pool, does it reject?"""
    parts = good.calibrated_on
    names = [str(part) for part in range(parts)]
    on_rest, in_pool, bound = [], [], rate
    for number in range(count):
        pool = pools[number % len(pools)]
        order = random.permutation(len(pool))
        calibration = calibrated(pool[order[:parts]], names, rate)
        assert calibration.promise is not None
        bound = max(rate, calibration.promise)
        rest = pool[order[parts:]]
        on_rest.append(float((rest > calibration.threshold).mean()))
        in_pool.append(float((pool > calibration.threshold).mean()))
    rest_kept, pool_kept = np.array(on_rest) <= bound, np.array(in_pool) <= bound
    above = allowed_above(parts, rate, CONFIDENCE) or 0
    chance = kept_by_chance(parts, len(pools[0]) - parts, above, bound)
    shares = [f"{pool_kept.mean():.1%}", f"{rest_kept.mean():.1%}", f"{chance:.1%}"]
    return [good.name, rate_shown(rate, bound), str(parts), *shares, *tightness(np.array(on_rest), bound)]


def redrawn(good: GoodParts, pools: list[Doubles], rate: float, random: np.random.Generator, count: int) -> list[str]:
    """Calibrate on as many parts as leave one above the threshold, drawn from the pool with replacement."""
    parts = first_with_one_above(rate)
    in_pool = []
    for number in range(count):
        world = np.sort(pools[number % len(pools)])
        in_pool.append(float(shares_above(world, thresholds(world, parts, rate, random, 1))[0]))
    kept = np.array(in_pool) <= rate
    return [good.name, f"{rate:.0%}", str(parts), f"{kept.mean():.1%}", *tightness(np.array(in_pool), rate)]


def rate_shown(rate: float, bound: float) -> str:
    return f"{rate:.0%}" if bound == rate else f"{rate:.0%} asked, {bound:.1%} promised"


def kept_by_chance(parts: int, rest: int, above: int, rate: float) -> float:
    """The chance that at most `rate` of the rest score above the threshold where all scores are exchangeable.

    The number of the rest above the score that `above` of the `parts` exceed is negative hypergeometric.
    """
    whole = math.lgamma(parts + rest + 1) - math.lgamma(parts + 1) - math.lgamma(rest + 1)
    total = 0.0
    for count in range(math.floor(rate * rest + 1e-9) + 1):
        higher = _log_ways(above + count, count)
        lower = _log_ways(parts - above - 1 + rest - count, rest - count)
        total += math.exp(higher + lower - whole)
    return total


def _log_ways(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


if __name__ == "__main__":
    main()
