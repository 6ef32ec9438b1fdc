"""What a fit will take, said before it begins."""

import json
from pathlib import Path

import numpy as np
import pytest
from parts import save_good_parts
from shell import RunCli

from blemish.calibration.held_out import hold_out
from blemish.cluster.estimate import LookPlan, plan_fit
from blemish.errors import OptionError
from blemish.options.settings import make_settings


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_good_parts(tmp_path_factory.mktemp("good"), 12, 64, 96)


def test_a_plan_is_of_all_images(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blemish.cluster.estimate.FIRST", 4)
    plan = plan_fit(good, size=64, coreset=50, threads=1)
    assert (plan.images, plan.measured, plan.threads) == (12, 4, 1)
    assert plan.seconds.keys() == {"look", "patches", "coreset", "threshold", "candidates"}
    assert plan.total == sum(plan.seconds.values())
    (look,) = plan.looks
    assert look.patches % 12 == 0
    assert plan.rows == look.rows == 50
    assert (plan.memory, plan.disk) == (look.patches * (4 * look.dimension + 168), 0)
    assert plan.on(10) == pytest.approx(plan.total / 8)


def test_on_a_cluster_and_beyond_the_memory_patches_take_disk(good: Path) -> None:
    plan = plan_fit(good, size=64, coreset=0.1, cluster=True, spill_type="float16", spill_folder=good)
    (look,) = plan.looks
    assert (plan.memory, plan.disk) == (12 * look.patches, 2 * look.dimension * look.patches)
    spilled = plan_fit(good, size=64, coreset=0.1, memory=10_000)
    assert spilled.disk == 2 * plan.disk


def test_the_coreset_costs_what_was_measured() -> None:
    """Rows of the table of docs/cluster.md: processor seconds, within a quarter."""
    for patches, rows, seconds in ((1e6, 1000, 4.4), (4e6, 1000, 15.7), (2e7, 1000, 60.6), (1e6, 10_000, 14.6)):
        assert LookPlan(int(patches), 152, rows).coreset_cost() == pytest.approx(seconds, rel=0.35)
    assert LookPlan(4_000_000, 152, 10_000).coreset_cost() == pytest.approx(48.5, rel=0.35)


def test_the_command_says_the_plan_and_writes_nothing(good: Path, tmp_path: Path, run_cli: RunCli) -> None:
    asked = ("fit", good, "-o", tmp_path / "a.blemish", "--size", "64", "--plan")
    outcome = run_cli(*asked, "--coreset", "50")
    assert outcome.code == 0, outcome
    assert "12 images, measured on the first 12" in outcome.stdout
    assert "Memory for patches: " in outcome.stdout
    assert "cluster of" not in outcome.stdout
    assert "On a cluster of 64 such processors" in run_cli(*asked, "--cluster", "auto").stdout
    told = json.loads(run_cli(*asked, "--json", "--cluster", "local").stdout)
    assert told["disk_bytes"] > 0
    assert list(tmp_path.iterdir()) == []


def test_a_plan_refuses_what_it_cannot_know(good: Path, tmp_path: Path, run_cli: RunCli) -> None:
    asked = ("fit", good, "-o", tmp_path / "a.blemish", "--plan")
    assert "cannot be used with the method padim: its cost" in run_cli(*asked, "--method", "padim").sentence
    assert "cluster_state needs --cluster" in run_cli(*asked, "--cluster-state", tmp_path).sentence


def test_many_rows_are_warned_of(good: Path, tmp_path: Path, run_cli: RunCli) -> None:
    asked = ("fit", good, "-o", tmp_path / "a.blemish", "--size", "64", "--coreset")
    assert "A memory bank of 150000 rows takes about 0.1 s" in run_cli(*asked, "150000").stderr
    assert "A memory bank" not in run_cli(*asked, "50").stderr


def test_cross_fitting_is_refused_where_split_makes_a_promise() -> None:
    parts = [str(number) for number in range(20_001)]
    with pytest.raises(OptionError, match="calibration=cross cannot be used with 20001 good parts: it only estimates"):
        hold_out(parts, make_settings(calibration="cross"), refits=True)
    assert not hold_out(parts[:-1], make_settings(calibration="cross"), refits=True).any()
    assert np.count_nonzero(hold_out(parts, make_settings(), refits=True)) == 6000
