"""The threads of NumPy's own library: bounded while a call runs, and as before afterwards."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from typing import Any

import pytest
from parts import good_part
from threadpoolctl import threadpool_info, threadpool_limits

import blemish
from blemish.kernels import bound
from blemish.system.blas import blas_threads


def counts() -> list[int]:
    """Of NumPy's library; others in the process have theirs (SciPy), which came later and are none of our business."""
    blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
    return [library["num_threads"] for library in blas if "numpy" in library["filepath"]]


def test_the_fewest_asked_for_holds_until_all_have_left() -> None:
    with threadpool_limits(4, user_api="blas"):
        before = counts()
        first, second = ExitStack(), ExitStack()
        first.enter_context(blas_threads(2))
        assert set(counts()) == {2}
        second.enter_context(blas_threads(1))
        assert set(counts()) == {1}
        first.close()
        assert set(counts()) == {1}
        second.close()
        assert counts() == before


def test_nobody_gets_more_than_the_process_had() -> None:
    with threadpool_limits(1, user_api="blas"), blas_threads(8):
        assert set(counts()) == {1}


def test_callers_that_overlap_leave_what_they_found() -> None:
    meeting = Barrier(8)

    def enter(most: int) -> None:
        with blas_threads(most):
            meeting.wait(30)
            assert set(counts()) == {1}
            meeting.wait(30)

    with threadpool_limits(3, user_api="blas"):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(enter, range(1, 9)))
        assert set(counts()) == {3}


def test_a_fit_on_one_thread_multiplies_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    axes = bound._principal_axes

    def watched(*arguments: Any) -> Any:
        seen.extend(counts())
        return axes(*arguments)

    monkeypatch.setattr(bound, "_principal_axes", watched)
    images = [good_part(seed) for seed in range(6)]
    with threadpool_limits(4, user_api="blas"):
        before = counts()
        detector = blemish.fit(images, threads=1, size=64, progress=False)
        detector.inspect(images[0])
        assert counts() == before
    assert set(seen) == {1}
