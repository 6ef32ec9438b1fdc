"""The short forms of campaigns/files.py and campaigns/kills.py."""

import sys
from pathlib import Path

import pytest
from campaigns.files import kill_fits, read_beside_processes, read_beside_threads
from campaigns.kills import kill_commands

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks and signals"),
]


def test_readers_never_meet_a_damaged_file_beside_threads(tmp_path: Path) -> None:
    found = read_beside_threads(tmp_path, reads=100)
    assert found.damaged == 0
    assert found.saved


def test_readers_never_meet_a_damaged_file_beside_processes(tmp_path: Path) -> None:
    found = read_beside_processes(tmp_path, reads=100)
    assert found.damaged == 0


def test_killed_fits_leave_a_whole_model_and_nothing_after_the_next_command(tmp_path: Path) -> None:
    while_writing = 0
    for seed in range(4):  # whether a kill meets a fit that writes is chance
        folder = tmp_path / str(seed)
        folder.mkdir()
        found = kill_fits(folder, fits=4, seed=seed)
        assert (found.left_after_next, found.broken) == (0, 0)
        while_writing += found.while_writing
        if while_writing:
            break
    assert while_writing, "no fit was killed while it wrote"


@pytest.mark.slow
def test_killed_commands_leave_a_whole_model_and_nothing_after_the_next_one(tmp_path: Path) -> None:
    found = kill_commands(tmp_path, kills=2, seed=0)
    assert [each for outcome in found.values() for each in outcome.wrong] == []
    assert all(outcome.kills == 2 for outcome in found.values())
