"""Answers in order, a bounded number of items under way, and no thread left behind."""

import threading
import time
from collections.abc import Iterator

import pytest

from blemish.system.stream import available_threads, stream


def blemish_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("blemish")]


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 30])
def test_answers_come_in_order(threads: int, count: int) -> None:
    def slow_at_first(item: int) -> int:
        time.sleep(0.002 * (item % 3 == 0))
        return item * item

    assert list(stream(slow_at_first, range(count), threads=threads)) == [item * item for item in range(count)]


def test_few_items_are_taken_ahead() -> None:
    taken, answered, ahead = 0, 0, []

    def source() -> Iterator[int]:
        nonlocal taken
        for item in range(50):
            taken += 1
            ahead.append(taken - answered)
            yield item

    for _ in stream(lambda item: item, source(), threads=3):
        answered += 1
    assert answered == 50
    assert max(ahead) <= 2 * 3 + 1


def test_an_answer_does_not_wait_for_the_next_item() -> None:
    """A camera may be long in coming with its next image."""
    answered: list[int] = []

    def camera() -> Iterator[int]:
        yield from (0, 1)
        assert answered == [0]
        yield 2

    for answer in stream(lambda item: item, camera(), threads=1):
        answered.append(answer)
    assert answered == [0, 1, 2]


def test_items_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=10)
    assert len(list(stream(lambda _: meeting.wait(), range(4), threads=2))) == 4


def test_an_exception_comes_in_its_place() -> None:
    answers = stream(lambda item: 10 // (2 - item), range(6), threads=2)
    assert [next(answers), next(answers)] == [5, 10]
    with pytest.raises(ZeroDivisionError):
        next(answers)
    assert blemish_threads() == []


def test_an_exception_of_the_source_stops_the_threads() -> None:
    def source() -> Iterator[int]:
        yield from range(8)
        raise OSError("the camera was unplugged")

    answers = stream(lambda item: item, source(), threads=2)
    with pytest.raises(OSError, match="unplugged"):
        list(answers)
    assert blemish_threads() == []


def test_closing_early_stops_the_threads() -> None:
    done: list[int] = []
    answers = stream(done.append, range(1000), threads=2)
    next(answers)
    assert blemish_threads() != []
    answers.close()  # type: ignore[attr-defined]
    assert blemish_threads() == []
    assert len(done) < 10


def test_this_process_has_a_thread() -> None:
    assert available_threads() >= 1
