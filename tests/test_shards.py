"""Shards, subsets and spilled patches against one array in memory."""

import os
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.arrays import Floats
from blemish.errors import DataError, OptionError
from blemish.memory.coreset import Round, coreset_of, greedy_coreset, random_projection
from blemish.memory.shards import ArrayShard, Behind, Cut, LocalShards, Top
from blemish.memory.spill import PatchStore


def patches_of(seed: int, count: int, dimension: int) -> Floats:
    generator = np.random.default_rng(seed)
    patches: Floats = generator.normal(size=(count, dimension)).astype(np.float32)
    patches[::5] = np.round(patches[::5])
    return patches


def cut(patches_ND: Floats, edges: list[int]) -> list[ArrayShard]:
    """Shards between the edges."""
    bounds = [0, *sorted(set(edges)), len(patches_ND)]
    return [ArrayShard(patches_ND[low:high], first=low) for low, high in pairwise(bounds) if low < high]


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 300), st.integers(1, 6), st.lists(st.integers(1, 299), max_size=4), st.integers(0, 2**16))
def test_shards_give_the_coreset_of_one_array(count: int, dimension: int, edges: list[int], seed: int) -> None:
    patches = patches_of(seed, count, dimension)
    rows = 1 + seed % count
    one = greedy_coreset(patches, rows, seed=seed)
    many = coreset_of(LocalShards(cut(patches, [edge for edge in edges if edge < count])), rows, seed=seed)
    assert (one.indices == many.indices).all()
    assert (one.radii == many.radii).all()


def test_shards_larger_than_the_pool_give_the_coreset_of_one_array() -> None:
    patches = patches_of(0, 30_000, 5)
    one, many = greedy_coreset(patches, 400), coreset_of(LocalShards(cut(patches, [9_000, 21_000])), 400)
    assert (one.indices == many.indices).all()


def evenly(patches_ND: Floats, shards: int) -> list[ArrayShard]:
    edges = np.linspace(0, len(patches_ND), shards + 1).astype(int)
    return [ArrayShard(patches_ND[low:high], first=int(low), threads=1) for low, high in pairwise(edges)]


def of_few_values(seed: int, count: int, dimension: int) -> Floats:
    """Patches full of duplicates and equal distances."""
    values: Floats = np.random.default_rng(seed).integers(0, 3, (count, dimension)).astype(np.float32)
    return values


@pytest.mark.parametrize("shards", [1, 2, 3, 4, 16, 64, pytest.param(1000, marks=pytest.mark.long)])
def test_any_number_of_shards_gives_the_coreset_of_one_array(shards: int) -> None:
    rows = 200 if shards < 1000 else 30
    for patches in (patches_of(8, 6_000, 7), of_few_values(8, 6_000, 5)):
        among = np.arange(len(patches)) // 100 % 5 != 3
        one = greedy_coreset(patches, rows, among=among, seed=3)
        many = coreset_of(LocalShards(evenly(patches, shards), among), rows, seed=3)
        assert (one.indices == many.indices).all()
        assert (one.radii == many.radii).all()


class Wired(LocalShards):
    """Shards that count what would travel, and may send no more than `message` bytes of patches."""

    def __init__(self, shards: list[ArrayShard], message: float) -> None:
        super().__init__(shards)
        self.message = message
        self.rounds: list[int] = []

    def take(self, cut: Cut, known: int) -> list[Top]:
        tops = super().take(cut, known)
        self.rounds.append(sum(top.patches_PD.nbytes for top in tops))
        return tops


@pytest.mark.parametrize("shards", [1, 7])
def test_short_messages_take_more_rounds_to_the_same_coreset(shards: int) -> None:
    patches = patches_of(9, 12_000, 6)
    patches[:3000] += 20
    wired = Wired(evenly(patches, shards), message=40 * 24)
    many = coreset_of(wired, 150, seed=1)
    one = greedy_coreset(patches, 150, seed=1)
    assert (one.indices == many.indices).all()
    assert (one.radii == many.radii).all()
    assert max(wired.rounds) <= wired.message
    assert len(wired.rounds) > 3


def test_a_shard_that_forgot_its_centres_never_answers() -> None:
    patches = patches_of(10, 500, 4)
    shard, fresh = ArrayShard(patches), ArrayShard(patches)
    shard.meet(patches[:3], np.arange(3), 0)
    questions: list[Callable[[ArrayShard], object]] = [
        lambda asked: asked.meet(patches[3:4], np.array([3]), 3),
        lambda asked: asked.best(5, 4, 3),
        lambda asked: asked.reaching(0.1, 10, 3),
        lambda asked: asked.take(Cut(0.1, 500), 3),
    ]
    for question in questions[::-1]:
        question(shard)
        with pytest.raises(Behind, match="has met 0 centres, and 3 were counted"):
            question(fresh)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 30), st.integers(1, 5), st.integers(0, 2**16))
def test_a_run_goes_on_after_any_round_on_other_shards(stopped: int, shards: int, seed: int) -> None:
    patches = patches_of(seed, 5_000, 3)
    rounds: list[Round] = []
    whole = coreset_of(Wired(evenly(patches, 2), 200), 60, seed=seed, keep=rounds.append)
    begun = rounds[: 1 + stopped % len(rounds)]
    more = coreset_of(LocalShards(evenly(patches, shards)), 60, seed=seed, begun=begun)
    assert (whole.indices == more.indices).all()
    assert (whole.radii == more.radii).all()


def test_a_subset_of_a_shard_gives_the_coreset_of_the_subset() -> None:
    patches = patches_of(1, 9_000, 6)
    shard = ArrayShard(patches)
    for seed in range(2):
        among = np.random.default_rng(seed).random(len(patches)) < 0.8
        members = np.nonzero(among)[0]
        subset = greedy_coreset(shard, 150, among=among, seed=seed)
        alone = greedy_coreset(patches[among], 150, seed=seed)
        assert (subset.indices == members[alone.indices]).all()
        assert (subset.radii == alone.radii).all()


def test_spilled_patches_give_identical_rows(tmp_path: Path) -> None:
    patches = patches_of(2, 20_000, 12)
    with PatchStore(len(patches), 12, memory=patches.nbytes // 4, folder=tmp_path) as store:
        for start in range(0, len(patches), 3000):
            store.append(patches[start : start + 3000])
        assert store.spilled
        assert store.rounding == 0
        spilled = greedy_coreset(store.patches(), 200)
    kept = greedy_coreset(patches, 200)
    assert (spilled.indices == kept.indices).all()
    assert (spilled.radii == kept.radii).all()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_values_gone_through_in_spans_give_the_same_coreset(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    patches, among_N = patches_of(seed, 3_000, 4), np.random.default_rng(seed).random(3_000) < 0.3
    whole = greedy_coreset(patches, 150, among=among_N, seed=seed)
    monkeypatch.setattr("blemish.memory.shards.SPAN", 130)
    in_spans = greedy_coreset(patches, 150, among=among_N, seed=seed)
    assert (in_spans.indices == whole.indices).all()
    assert (in_spans.radii == whole.radii).all()
    shard = ArrayShard(patches)
    members = shard.start(among_N)
    with pytest.raises(IndexError, match=f"{members} patches take part"):
        shard.member(members)


def test_spilled_patches_take_little_memory_a_patch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blemish.memory.shards.SPAN", 4096)
    count = 300_000
    with PatchStore(count, 8, memory=1, folder=tmp_path) as store:
        store.append(patches_of(0, count, 8))
        tracemalloc.start()
        try:
            greedy_coreset(store.patches(), 50, threads=1)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert most < 12 * count + 3_000_000  # the two numbers of each patch, and what does not grow with them


def test_half_precision_spill_covers_within_the_stated_bound(tmp_path: Path) -> None:
    patches = patches_of(3, 5_000, 40) * np.float32(1.2345)
    with PatchStore(len(patches), 40, memory=1000, folder=tmp_path, dtype="float16") as store:
        store.append(patches)
        coreset = greedy_coreset(store.patches(), 100)
        rounding = store.rounding
    moved = np.linalg.norm(patches.astype(np.float16).astype(np.float64) - patches, axis=1).max()
    assert rounding == pytest.approx(moved)
    chosen = patches[coreset.indices].astype(np.float64)
    distances = np.sqrt(((patches.astype(np.float64)[:, None] - chosen) ** 2).sum(axis=2)).min(axis=1)
    assert abs(distances.max() - coreset.radii[-1]) <= 2 * rounding + 1e-6


def test_within_the_budget_nothing_is_spilled(tmp_path: Path) -> None:
    with PatchStore(10, 4, memory=10_000, folder=tmp_path / "absent") as store:
        store.append(np.ones((6, 4), np.float32))
        assert not store.spilled
        assert store.patches().shape == (6, 4)


class FullDisk:
    """A file on a disk without room."""

    closed = False

    def write(self, data: Any) -> int:
        raise OSError(28, os.strerror(28))

    def close(self) -> None:
        self.closed = True


def test_a_full_disk_is_one_sentence_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FullDisk()

    def on_full_disk(**_: object) -> IO[bytes]:
        return disk  # type: ignore[return-value]

    monkeypatch.setattr(tempfile, "TemporaryFile", on_full_disk)
    with (
        PatchStore(100, 8, memory=100) as store,
        pytest.raises(DataError, match=r"the disk is full; free 0.0 GB or name another folder"),
    ):
        store.append(np.ones((100, 8), np.float32))
    assert disk.closed


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit to set on a file's size")
def test_where_a_file_cannot_grow_what_was_refused_is_not_written_again(tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with PatchStore(1000, 8, memory=1, folder=tmp_path) as store:
            for _ in range(625):  # of 32 bytes
                store.append(np.ones((1, 8), np.float32))
            with pytest.raises(DataError, match="could not be written to the spill folder: File too large"):
                store.append(np.ones((1, 8), np.float32))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_interrupted_fit_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with PatchStore(100, 8, memory=100, folder=tmp_path) as store:
            store.append(np.ones((50, 8), np.float32))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"the spill folder .*absent cannot be written to"):
        PatchStore(100, 8, memory=100, folder=tmp_path / "absent")


def test_a_radius_stops_as_soon_as_every_patch_is_covered() -> None:
    patches = patches_of(4, 6_000, 3)
    whole = greedy_coreset(patches, 500)
    radius = float(whole.radii[99]) * (1 + 1e-6)
    covered = greedy_coreset(patches, 500, radius=radius)
    rows = int(np.argmax(whole.radii <= radius)) + 1
    assert len(covered.indices) == rows <= 100
    assert (covered.indices == whole.indices[:rows]).all()
    assert covered.radii[-1] <= radius < covered.radii[-2]


def test_a_random_projection_keeps_relative_distances_and_follows_its_seed() -> None:
    patches = patches_of(5, 400, 1536)
    projected = random_projection(patches, seed=0)
    assert projected.shape == (400, 128)
    assert (projected == random_projection(patches, seed=0)).all()
    assert (projected != random_projection(patches, seed=1)).any()
    before = np.linalg.norm(patches[:200] - patches[200:], axis=1)
    after = np.linalg.norm(projected[:200] - projected[200:], axis=1)
    # Weights of variance 1 / (3 d) scale squared distances by 128 / (3 d).
    assert np.median(after / before) == pytest.approx(np.sqrt(128 / (3 * 1536)), rel=0.1)


def test_a_patch_that_is_not_finite_is_named() -> None:
    patches = patches_of(6, 20_000, 3)
    patches[17_001, 2] = np.nan
    with pytest.raises(OptionError, match="patch 17001 holds NaN or infinity"):
        ArrayShard(patches)


def test_a_mask_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(OptionError, match=r"mark each of the 10 patches; it came as \(9,\)"):
        greedy_coreset(patches_of(7, 10, 2), 3, among=np.ones(9, bool))
