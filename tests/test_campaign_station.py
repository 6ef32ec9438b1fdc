"""The short forms of the campaigns of the station: kills, swaps, and calls that nobody would make."""

from pathlib import Path

import pytest
from campaigns.station_fuzz import taught
from campaigns.station_kills import kill_often
from campaigns.station_marked import JOBS
from campaigns.station_sent import damaged_pictures, many_at_once
from campaigns.station_swaps import swap_under_load

pytestmark = pytest.mark.long


@pytest.mark.parametrize("seed", [1, 2])  # 200 in all, on two processors at a time
def test_a_hundred_kills_lose_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    found = kill_often(tmp_path, kills=100, seed=seed, lives=20)
    assert found.wrong == []
    assert found.kills == 100
    assert len(found.acknowledged) >= 100
    assert all(found.hit[kind] > 0 for kind in (*JOBS, "promote")), found.hit


def test_every_part_is_judged_by_the_version_it_names_while_versions_are_swapped(tmp_path: Path) -> None:
    found = swap_under_load(tmp_path, requests=400, swaps=8)
    assert found.failed == []
    assert (found.answered, found.swaps) == (400, 8)
    assert len(found.versions) == 3


def test_no_damaged_picture_is_taken_for_a_part_and_of_many_at_once_each_arrives_or_is_named() -> None:
    with taught() as served:
        assert damaged_pictures(served, count=90, seed=1)[1] == []
        assert many_at_once(served, count=100)[1] == []
