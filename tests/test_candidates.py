"""Candidates against a brute-force refit of the bank without each image."""

from collections.abc import Callable

import numpy as np
import pytest

from blemish.arrays import Floats, Ints
from blemish.features.patches import ImagePatches
from blemish.memory.bank import Bank
from blemish.memory.candidates import Candidates, find_candidates
from blemish.memory.coreset import greedy_coreset
from blemish.memory.cover import cover
from blemish.memory.spill import PatchStore
from blemish.memory.training import TrainingPatches, gather
from blemish.search.exact import ExactSearch


def training(images: list[Floats]) -> TrainingPatches:
    """Images of one column of patches each."""
    shown = [ImagePatches(patches, np.ones((len(patches), 1), np.bool_)) for patches in images]
    return gather(shown, len(shown), PatchStore)


def fitted(patches: TrainingPatches, rows: int) -> Bank:
    return Bank.of(patches, greedy_coreset(patches.values_ND, rows))


def found(patches: TrainingPatches, bank: Bank, most: int = 10**6) -> Candidates:
    images = range(len(patches.seen))
    return find_candidates(bank, ExactSearch(bank.rows_KD), patches, images, most=most, threads=2)


def distances(patches_ND: Floats, rows_KD: Floats) -> Floats:
    """Brute force in float64; rounded as radii are, since the farthest patch lies exactly at the radius."""
    squared = ((patches_ND[:, None].astype(np.float64) - rows_KD) ** 2).sum(axis=2)
    return np.asarray(np.sqrt(squared.min(axis=1)), np.float32)


def test_a_patch_that_one_foreign_row_covers_stands_by() -> None:
    """Image 0 holds 0 and 10, image 1 holds 1 and 10.5; the bank is 0 and 10.5 at radius 1: 10 hangs on image 1."""
    patches = training([np.array([[0.0], [10]], np.float32), np.array([[1.0], [10.5]], np.float32)])
    rows = np.array([0, 3])
    bank = Bank(patches.values_ND[rows], patches.image_N[rows], patches.cell_N[rows], np.array([9, 1], np.float32), 1.0)
    candidates = found(patches, bank)
    assert candidates.rows_CD.ravel().tolist() == [10, 1]
    assert candidates.image_C.tolist() == [0, 1]
    assert candidates.cell_C.tolist() == [1, 0]


def test_what_two_images_cover_needs_no_candidate() -> None:
    patches = training([np.array([[0.0], [1]], np.float32)] * 3)
    assert len(found(patches, Bank.of(patches, greedy_coreset(patches.values_ND, 6))).rows_CD) == 0


@pytest.mark.parametrize("seed", range(5))
def test_without_any_one_image_the_bank_goes_on_as_the_greedy_rule_would_with_all_patches(seed: int) -> None:
    random = np.random.default_rng(seed)
    patches = training([random.normal(size=(60, 6)).astype(np.float32) for _ in range(12)])
    bank = fitted(patches, 90)
    candidates = found(patches, bank)
    for image in range(12):
        rest_KD = bank.rows_KD[bank.image_K != image]
        remaining: Ints = np.flatnonzero(patches.image_N != image)
        all_ND = patches.values_ND[remaining]
        wanted = cover(all_ND, distances(all_ND, rest_KD), bank.radius).indices
        pool = np.flatnonzero(candidates.image_C != image)
        pool_CD = candidates.rows_CD[pool]
        chosen = cover(pool_CD, distances(pool_CD, rest_KD), bank.radius).indices
        assert [(candidates.image_C[pool[i]], candidates.cell_C[pool[i]]) for i in chosen] == [
            (patches.image_N[remaining[i]], patches.cell_N[remaining[i]]) for i in wanted
        ]
        covered = distances(all_ND, np.concatenate([rest_KD, pool_CD[chosen]]))
        assert covered.max() <= bank.radius


def test_an_image_that_holds_the_whole_bank_can_leave() -> None:
    """No row is left, so the first candidate is infinitely far from all others."""
    random = np.random.default_rng(0)
    wide = 100 * random.normal(size=(40, 4)).astype(np.float32)
    patches = training([wide, random.normal(size=(40, 4)).astype(np.float32)])
    rows = greedy_coreset(wide, 20).indices
    bank = Bank(wide[rows], patches.image_N[rows], patches.cell_N[rows], np.ones(20, np.float32), 60.0)
    candidates = found(patches, bank)
    assert (candidates.image_C == 1).sum() >= 1
    left_KD = candidates.rows_CD[candidates.image_C == 1]
    assert distances(patches.values_ND[patches.image_N == 1], left_KD).max() <= 60


def test_a_bank_of_one_row() -> None:
    patches = training([np.zeros((3, 2), np.float32), np.ones((3, 2), np.float32)])
    bank = fitted(patches, 1)
    assert set(found(patches, bank).image_C) == {1 - bank.image_K[0]}


def test_the_number_is_bounded_and_the_farthest_stay() -> None:
    random = np.random.default_rng(7)
    patches = training([random.normal(size=(60, 6)).astype(np.float32) for _ in range(12)])
    bank = fitted(patches, 90)
    every, few = found(patches, bank), found(patches, bank, most=5)
    assert len(every.rows_CD) > 5 == len(few.rows_CD)
    kept = {(int(i), int(c)) for i, c in zip(few.image_C, few.cell_C, strict=True)}
    assert kept <= {(int(i), int(c)) for i, c in zip(every.image_C, every.cell_C, strict=True)}


def test_one_bound_serves_the_covers_of_all_images(bounds_made: Callable[..., list[int]]) -> None:
    """One for each image took a tenth of a small fit."""
    random = np.random.default_rng(0)
    patches = training([random.normal(size=(60, 6)).astype(np.float32) for _ in range(12)])
    bank = fitted(patches, 90)
    made = bounds_made("memory.candidates", "memory.cover")
    assert len(found(patches, bank).rows_CD) > 12
    assert len(made) == 1
