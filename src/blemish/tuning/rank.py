"""From the scores of candidates to one of them: who finds more, and whether that is more than chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from blemish.arrays import Doubles, Ints
from blemish.options.looks import LookOption
from blemish.scoring.heatmap import join_peaks, map_score, on_scale
from blemish.tuning.grid import Candidate
from blemish.tuning.measure import MeasuredLook

__all__ = [
    "Scored",
    "by_group",
    "choose",
    "cross_validated",
    "found_share",
    "gains",
    "interval",
    "made_evidence",
    "real_evidence",
    "scored",
    "separation",
]

STEPS = (1, 2, 5, 10)
"""Candidates are compared at so many times the promised rate of false rejects, as one rate of few good images hangs on
one image."""
LARGEST_RATE = 0.2
ERRORS = {"real": 2.0, "made": 1.0}
"""A candidate must beat the default by so many standard errors of their difference."""
MARGIN = {"real": 0.02, "made": 0.01}
"""And by so much: among many candidates some always look better."""
RESAMPLES = 1000


@dataclass(frozen=True)
class Scored:
    """What one candidate scores each image: what its looks' maps say, joined."""

    good_N: Doubles
    made_M: Doubles
    real_R: Doubles


def scored(candidate: Candidate, looks: Mapping[str, MeasuredLook]) -> Scored:
    """Join the looks of a candidate, image by image."""
    own = [looks[look] for look in candidate.looks]
    sides = [LookOption.parse(look).side for look in candidate.looks]  # a look counts by its size, as in fit

    def joined(name: Literal["good_Nhw", "made_Mhw", "real_Rhw"]) -> Doubles:
        if len(own) == 1:
            return np.array([map_score(map_hw, 0) for map_hw in getattr(own[0], name)], np.float64)
        said_LN = [on_scale(look.said(getattr(look, name)), look.scale) for look in own]
        each = zip(*said_LN, strict=True)
        return np.array([join_peaks(said_L, sides, candidate.join) for said_L in each], np.float64)

    return Scored(joined("good_Nhw"), joined("made_Mhw"), joined("real_Rhw"))


def found_share(good_N: Doubles, scores: Doubles, rate: float) -> Doubles:
    """Of each score, 1.0 where it lies above the threshold that rejects at most this share of good images, else 0."""
    above = int(rate * (len(good_N) + 1) + 1e-9)  # or one of 49 would be none
    threshold = np.sort(good_N)[::-1][min(above, len(good_N) - 1)]
    return np.asarray(scores > threshold, np.float64)


def separation(good_N: Doubles, scores: Doubles, rate: float) -> Doubles:
    """How well each defect stands out, from 0 to 1: half is the mean of found or not over rates of false rejects, half
    the share of good images that score lower."""
    rates = [min(step * rate, LARGEST_RATE) for step in STEPS]
    found = np.mean([found_share(good_N, scores, each) for each in rates], axis=0)
    below = np.searchsorted(np.sort(good_N), scores) / len(good_N)
    return np.asarray((found + below) / 2)


def real_evidence(scores: Sequence[Scored], part_R: Ints, rate: float) -> Doubles:
    """How well each defective part stands out, by each candidate (candidates x parts)."""
    return np.array([by_group(separation(each.good_N, each.real_R, rate), part_R) for each in scores])


def made_evidence(scores: Sequence[Scored], cells: Sequence[str], rate: float) -> Doubles:
    """How well made defects of each kind, size and contrast stand out (candidates x cells)."""
    _, cell_M = np.unique(cells, return_inverse=True)
    return np.array([by_group(separation(each.good_N, each.made_M, rate), cell_M) for each in scores])


def by_group(values: Doubles, group: Ints) -> Doubles:
    """The mean of each group."""
    return np.asarray(np.bincount(group, values) / np.maximum(np.bincount(group), 1))


def gains(values_CE: Doubles, kind: Literal["real", "made"]) -> Doubles:
    """By how much each candidate beats the first one, beyond what may be chance; 0 for the first.

    Args:
        values_CE: The separation of each piece of evidence by each candidate, the default first.
        kind: Whether the evidence is real defects, or kinds of made ones.
    """
    differences_CE = values_CE - values_CE[0]
    count = values_CE.shape[1]
    spread = differences_CE.std(axis=1, ddof=1) if count > 1 else np.abs(differences_CE).max(axis=1)
    sure = differences_CE.mean(axis=1) - ERRORS[kind] * spread / np.sqrt(count) - MARGIN[kind]
    sure[0] = 0.0
    return np.asarray(sure)


def choose(values_CE: Doubles, kind: Literal["real", "made"], allowed: Sequence[bool]) -> int:
    """The candidate of the largest sure gain among those allowed; the default where none gains."""
    sure = np.where(allowed, gains(values_CE, kind), -np.inf)
    return int(sure.argmax())


def cross_validated(values_CE: Doubles, found_CE: Doubles, allowed: Sequence[bool]) -> float:
    """The share of groups of defects found by the candidate that was chosen without each of them."""
    groups = values_CE.shape[1]
    if groups < 2:
        return float("nan")
    found = []
    for group in range(groups):
        others = np.arange(groups) != group
        found.append(found_CE[choose(values_CE[:, others], "real", allowed), group])
    return float(np.mean(found))


def interval(found_E: Doubles, seed: int) -> tuple[float, float]:
    """Of the mean of what each group of defects shows, by resampling, 95 %; Wilson's where all agree."""
    count = len(found_E)
    if count == 0:
        return 0.0, 1.0
    if np.ptp(found_E) == 0:  # nothing to resample
        share, z2 = float(found_E[0]), 1.96**2
        middle, half = (
            (share + z2 / (2 * count)) / (1 + z2 / count),
            np.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) * 1.96 / (1 + z2 / count),
        )
        return max(0.0, float(middle - half)), min(1.0, float(middle + half))
    drawn = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    low, high = np.percentile(found_E[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
