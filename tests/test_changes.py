"""Changes of tables and the way back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from blemish.arrays import Array
from blemish.model.tables import Table, change, revert


def table(start: int, count: int) -> dict[str, Array]:
    numbers = np.arange(start, start + count)
    return {"rows": np.stack([numbers, numbers], axis=1).astype(np.float32), "image": numbers}


def test_some_rows_leave_and_others_come_behind_those_that_stay() -> None:
    changed, step = change(table(0, 5), np.array([3, 1]), table(100, 2))
    assert changed["image"].tolist() == [0, 2, 4, 100, 101]
    assert step.taken_at.tolist() == [1, 3]
    assert step.taken["image"].tolist() == [1, 3]
    assert step.added == 2
    assert revert(changed, step)["image"].tolist() == [0, 1, 2, 3, 4]


def same(left: Table, right: Table) -> bool:
    return all(left[name].tobytes() == right[name].tobytes() and left[name].dtype == right[name].dtype for name in left)


@given(st.lists(st.tuples(st.sets(st.integers(0, 60)), st.integers(0, 4)), max_size=6), st.integers(0, 9))
def test_a_chain_of_changes_goes_back_bit_for_bit(changes: list[tuple[set[int], int]], count: int) -> None:
    now = table(0, count)
    history = []
    for number, (leave, come) in enumerate(changes):
        length = len(now["image"])
        take = np.array(sorted(place for place in leave if place < length), np.int64)
        before = now
        now, step = change(now, take, table(1000 * (number + 1), come))
        history.append((before, step))
    for before, step in reversed(history):
        now = revert(now, step)
        assert same(now, before)
