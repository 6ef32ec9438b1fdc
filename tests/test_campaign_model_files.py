"""The short form of campaigns/model_files.py: nothing damaged is read, and nothing crafted ends badly."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="Windows counts no memory this way")

from campaigns.crafted_models import crafted
from campaigns.model_files import GOLDEN, flips, judge_all, models, read_damaged, truncations


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return models(tmp_path_factory.mktemp("models"))


def test_no_flipped_bit_and_no_cut_is_read(files: list[bytes]) -> None:
    for contents in (
        flips(files, 400, header=True, seed=1),
        flips(files, 200, header=False, seed=1),
        truncations(files, 40, 1),
    ):
        found = read_damaged(contents)
        assert (found.accepted, found.tracebacks) == (0, [])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts memory as Linux does")
def test_no_crafted_file_ends_badly(tmp_path: Path) -> None:
    found = judge_all(list(crafted(GOLDEN))[::12], tmp_path)
    assert found.wrong == []
    assert found.outcomes["refused"] > found.outcomes["loaded"] > 0
    assert found.largest[0] < 500
