"""The compiled kernels against those in NumPy, on every instruction set: the same bits, or Gaussians alike."""

import ctypes
import importlib
import subprocess
import sys

import numpy as np
import pytest

from blemish.errors import BlemishError
from blemish.kernels.best import best_kernels
from blemish.kernels.compiled import Compiled, check_layout
from blemish.kernels.distance import squared_distances
from blemish.kernels.protocol import Kernels
from blemish.kernels.pure import Pure
from blemish.memory.coreset import greedy_coreset
from blemish.search.exact import ExactSearch

ISAS = ["plain", "AVX2", "AVX-512", "AVX-512 with bfloat16", "tiles of bfloat16"]


@pytest.fixture(params=ISAS)
def compiled(request: pytest.FixtureRequest) -> Compiled:
    """The extension module, held to one instruction set; skipped where either is absent."""
    try:
        module = importlib.import_module("blemish.kernels._kernels")
    except ImportError:
        pytest.skip("the compiled kernels are not installed")
    wanted = ISAS.index(request.param)
    kernels = Compiled(module, isa=wanted)
    if kernels.isa != wanted:
        pytest.skip(f"this processor has no {request.param}")
    return kernels


@pytest.mark.parametrize("dimension", [1, 3, 15, 16, 17, 64, 152, 384, 1536])
@pytest.mark.parametrize("scale", [1e-38, 1.0, 1e37])
def test_distances_have_the_same_bits(compiled: Compiled, dimension: int, scale: float) -> None:
    generator = np.random.default_rng(dimension)
    left, right = (generator.normal(size=(2, 50, dimension)) * scale).astype(np.float32)
    assert (compiled.exact_pairs(left, right) == squared_distances(left, right)).all()
    assert (compiled.exact_pairs(left, right[:1]) == squared_distances(left, right[:1])).all()
    expected = ((left.astype(np.float64) - right) ** 2).sum(axis=1)
    np.testing.assert_allclose(squared_distances(left, right), expected, rtol=1e-14)


@pytest.mark.parametrize(
    "folds", [[0, 1, 2, 3] * 5, [0] * 12 + [1, 2, 2, 2, 3, 3, 3, 3], list(range(20)), [3] * 10 + [1] * 10]
)
@pytest.mark.parametrize("places", [1, 4, 7])
@pytest.mark.parametrize("dimension", [1, 4, 25, 37])
def test_gaussians_are_those_of_numpy(compiled: Compiled, folds: list[int], places: int, dimension: int) -> None:
    generator = np.random.default_rng(dimension)
    mixed = generator.normal(size=(dimension, dimension)) * generator.uniform(0.01, 3, dimension)
    good = (generator.normal(size=(places, len(folds), dimension)) @ mixed + 5).astype(np.float32)
    for fold_of in (None, np.array(folds)):
        found, expected = (kernels.gaussians(good, fold_of) for kernels in (compiled, Pure()))
        np.testing.assert_allclose(found.mean_PD, expected.mean_PD, rtol=1e-6)
        np.testing.assert_allclose(found.factor_PF, expected.factor_PF, rtol=1e-5, atol=1e-6)
        assert (found.lengths_PN is None) == (expected.lengths_PN is None) == (fold_of is None)
        if found.lengths_PN is not None and expected.lengths_PN is not None:
            np.testing.assert_allclose(found.lengths_PN, expected.lengths_PN, rtol=1e-9)


def test_gaussians_of_one_image_and_of_two_folds_of_one(compiled: Compiled) -> None:
    one = np.arange(15, dtype=np.float32).reshape(3, 1, 5)
    np.testing.assert_array_equal(compiled.gaussians(one, None).mean_PD, one[:, 0])
    two = np.random.default_rng(0).normal(size=(3, 2, 5)).astype(np.float32)
    found, expected = (kernels.gaussians(two, np.array([0, 1])).lengths_PN for kernels in (compiled, Pure()))
    assert found is not None
    assert expected is not None
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def features(
    generator: np.random.Generator, rows: int, dimension: int
) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Vectors with few strong directions, duplicates and a coarse grid: ties everywhere."""
    mixed = generator.normal(size=(rows, min(dimension, 5))) @ generator.normal(size=(min(dimension, 5), dimension))
    mixed[::7] = np.round(mixed[::7])
    mixed[rows // 2 :: 11] = mixed[0]
    return np.asarray(mixed + 3.0, np.float32)


@pytest.mark.parametrize("dimension", [1, 3, 64, 152, 384, 800])
@pytest.mark.parametrize("rows", [1, 2, 7, 31, 33, 1000])
def test_search_has_the_same_answer(compiled: Compiled, rows: int, dimension: int) -> None:
    generator = np.random.default_rng(rows + dimension)
    bank, queries = features(generator, rows, dimension), features(generator, 29, dimension)
    for k in {1, min(9, rows)}:
        distances, numbers = ExactSearch(bank, kernels=compiled).query(queries, k)
        expected_distances, expected_numbers = ExactSearch(bank, kernels=Pure()).query(queries, k)
        assert (numbers == expected_numbers).all()
        assert (distances == expected_distances).all()


@pytest.mark.parametrize("dimension", [1, 6, 152])
def test_coreset_has_the_same_rows(compiled: Compiled, dimension: int) -> None:
    patches = features(np.random.default_rng(dimension), 9000, dimension)
    one, two = (greedy_coreset(patches, 300, kernels=kernels) for kernels in (compiled, Pure()))
    assert (one.indices == two.indices).all()
    assert (one.radii == two.radii).all()


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_bounds_hold_where_rounding_is_worst(compiled: Compiled, offset: float) -> None:
    """Rows that differ in the last bits only: a margin too small would rule out the nearest one."""
    generator = np.random.default_rng(1)
    base = (generator.normal(size=(1, 200)) + offset).astype(np.float32)
    bank = np.repeat(base, 600, axis=0)
    bank += (generator.integers(-2, 3, size=bank.shape) * np.spacing(base)).astype(np.float32)
    queries = bank[::13] + (generator.integers(-1, 2, size=bank[::13].shape) * np.spacing(base)).astype(np.float32)
    exact = ((queries.astype(np.float64)[:, None] - bank) ** 2).sum(axis=2)
    for kernels in (compiled, Pure()):
        checked: Kernels = kernels
        distances, numbers = ExactSearch(bank, kernels=checked).query(queries)
        assert (numbers[:, 0] == exact.argmin(axis=1)).all()
        np.testing.assert_allclose(distances[:, 0], np.sqrt(exact.min(axis=1)), rtol=1e-6)


@pytest.mark.parametrize("rows", [1, 3, 40])
def test_nothing_behind_the_bank_is_found(compiled: Compiled, rows: int) -> None:
    """Of patches so far off that no bound holds for them, each row is measured, and nothing else."""
    whole = np.random.default_rng(rows).normal(size=(96, 24)).astype(np.float32)
    whole[:rows] *= 1e-11
    distances, numbers = ExactSearch(whole[:rows], kernels=compiled).query(whole[rows:], k=rows)
    assert (np.sort(numbers, axis=1) == np.arange(rows)).all()
    np.testing.assert_allclose(distances[:, 0], np.linalg.norm(whole[rows:].astype(np.float64), axis=1), rtol=1e-6)


@pytest.mark.parametrize("dimension", [5, 152, 432, 900])
def test_patches_of_any_size_find_their_nearest_row(compiled: Compiled, dimension: int) -> None:
    """Against brute force in float64: queries far smaller and far larger than the bank, next to it and in it."""
    generator = np.random.default_rng(dimension)
    bank = features(generator, 700, dimension)
    sizes = 10.0 ** generator.integers(-12, 13, size=(60, 1))
    queries = np.concatenate([features(generator, 60, dimension) * sizes, bank[::17], bank[5:9] * (1 + 1e-6)])
    exact = ((queries.astype(np.float32).astype(np.float64)[:, None] - bank) ** 2).sum(axis=2)
    distances, _ = ExactSearch(bank, kernels=compiled).query(queries.astype(np.float32), k=2)
    np.testing.assert_allclose(distances, np.sqrt(np.sort(exact, axis=1)[:, :2]), rtol=1e-6)


def test_an_extension_of_another_version_is_refused() -> None:
    """It would take arguments for what they are not, and write over memory."""
    with pytest.raises(BlemishError, match="install blemish again"):
        check_layout(ctypes.pythonapi)


CHOOSING = """
import ctypes, threading
import numpy as np
from blemish.kernels import _kernels
from blemish.search.exact import ExactSearch

library = ctypes.CDLL(_kernels.__file__)
rows = np.random.default_rng(0).normal(size=(600, 64)).astype(np.float32)
search, ended = ExactSearch(rows), threading.Event()
expected = search.query(rows[:200], 3, threads=1)[1]

def choose() -> None:
    while not ended.is_set():
        for _ in range(100):
            library.use_isa(4)

threads = [threading.Thread(target=choose, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(200):
    assert (search.query(rows[:200], 3, threads=1)[1] == expected).all()
ended.set()
"""


@pytest.mark.skipif(best_kernels().name != "compiled", reason="the compiled kernels are not installed")
def test_kernels_are_chosen_while_others_compute() -> None:
    """A model is loaded in one thread while another inspects: in a process of its own, since the worst is a crash."""
    ended = subprocess.run([sys.executable, "-c", CHOOSING], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, (ended.returncode, ended.stderr)
