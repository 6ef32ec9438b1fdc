"""The page to read first: PatchCore (Roth et al., CVPR 2022), from the patches of good images to a score.

The whole way of an image, and where each step lives:

    pixels            images/read.py, images/transform.py      decode, size (and the way back for the map)
    patches           features/graph.py, features/extract.py   normalise, network, neighbourhoods, merge
    memory bank       memory/coreset.py, memory/bank.py        greedy k-centre subset of all good patches
    patch scores      search/exact.py                          distance to the nearest row of the bank
    image score, map  scoring/score.py, scoring/heatmap.py     one number; one value a pixel
    verdict           scoring/calibrate.py                     thresholds from held-out good images

This file is the two middle steps joined: `fit` makes the bank, `score` compares with it.
`fitting.py` and `detector.py` walk the whole way, for many good images and for one image to inspect.
"""

from dataclasses import dataclass

from blemish.arrays import Floats
from blemish.features.patches import TrainingPatches
from blemish.memory.bank import Bank
from blemish.memory.coreset import greedy_coreset
from blemish.progress import Progress, silent
from blemish.scoring.score import maximum, reweighted_maximum, top_mean
from blemish.search.exact import ExactSearch
from blemish.settings import Settings

__all__ = ["PatchCore", "PatchScores"]


@dataclass(frozen=True)
class PatchScores:
    """What the memory says of one image."""

    image: float
    """The image score."""
    patches_Q: Floats
    """The distance of each patch to its nearest row of the bank."""
    farthest: int
    """The patch of the largest distance."""
    nearest_row: int
    """The bank row nearest to that patch."""


class PatchCore:
    """A memory bank of good patches; new patches are scored by their distance to it."""

    def __init__(self, bank: Bank, settings: Settings) -> None:
        self.bank = bank
        self.settings = settings
        self.search = ExactSearch(bank.rows_KD)

    @classmethod
    def fit(cls, patches: TrainingPatches, settings: Settings, *, progress: Progress = silent) -> "PatchCore":
        """Keep a coreset of the good patches (equations 4 and 5, algorithm 1)."""
        count = coreset_rows(len(patches.values_ND), settings.coreset)
        coreset = greedy_coreset(patches.values_ND, count, seed=settings.seed, progress=progress)
        return cls(Bank.of(patches, coreset), settings)

    def score(self, patches_QD: Floats) -> PatchScores:
        """Compare an image's patches with the bank (equations 6 and 7)."""
        distances_Q1, nearest_Q1 = self.search.query(patches_QD)
        distances_Q, nearest_Q = distances_Q1[:, 0], nearest_Q1[:, 0]
        settings = self.settings
        if settings.image_score == "max":
            image = maximum(distances_Q)
        elif settings.image_score == "top":
            image = top_mean(distances_Q, settings.top)
        else:
            image = reweighted_maximum(distances_Q, nearest_Q, patches_QD, self.search, settings.neighbours)
        farthest = int(distances_Q.argmax())
        return PatchScores(image, distances_Q, farthest, int(nearest_Q[farthest]))


def coreset_rows(patches: int, coreset: float) -> int:
    """How many rows to keep of so many patches: a share of them up to 1, or a number of rows above it."""
    return min(patches, max(1, int(patches * coreset) if coreset <= 1 else int(coreset)))
