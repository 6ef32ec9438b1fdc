"""Which images a few shots are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blemish.data.protocols.shots import draw_shots, usable_shots
from blemish.errors import OptionError


def test_shots_show_as_many_parts_as_there_are() -> None:
    groups = ["a"] * 6 + ["b"] * 6 + ["c"]
    for seed in range(20):
        three = draw_shots(groups, 3, seed=seed)
        assert {group for group, drawn in zip(groups, three, strict=True) if drawn} == {"a", "b", "c"}
        assert draw_shots(groups, 5, seed=seed)[12]


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=20), st.integers(0, 5))
def test_fewer_shots_are_part_of_more(groups: list[str], seed: int) -> None:
    drawn = np.array([draw_shots(groups, shots, seed=seed) for shots in range(1, len(groups) + 1)])
    assert drawn.sum(axis=1).tolist() == list(range(1, len(groups) + 1))
    assert (drawn[1:] >= drawn[:-1]).all()


def test_seeds_draw_differently_and_one_seed_alike() -> None:
    groups = [str(i) for i in range(50)]
    draws = [draw_shots(groups, 5, seed=seed).tolist() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_all_images_come_last() -> None:
    assert usable_shots(60) == [1, 2, 5, 10, 16, 20, 50, 60]
    assert usable_shots(16) == [1, 2, 5, 10, 16]


@pytest.mark.parametrize("shots", [0, 4])
def test_shots_out_of_range_are_told(shots: int) -> None:
    with pytest.raises(OptionError, match=f"shots={shots} cannot be drawn from 3 images"):
        draw_shots(["a", "b", "c"], shots, seed=0)
