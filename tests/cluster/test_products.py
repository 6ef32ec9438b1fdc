"""Many products whose command is killed: the same command keeps the models that are there, and makes the others."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from crews import assert_equal
from parts import good_part, save_good_parts, save_image
from shell import RunCli

import blemish
from blemish.language.translation import translated

NAMES = ("bolt", "nut", "ring", "screw", "washer")
OPTIONS = ("--size", "64", "--coreset", "40", "--seed", "1")


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("products")
    for number, name in enumerate(NAMES):
        save_good_parts(folder / name / "good", 8, 64, 64)
        save_image(folder / name / "good" / "own.png", good_part(20 + number, 64, 64))
    return folder


@pytest.fixture(scope="module")
def undisturbed(products: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("undisturbed")
    done = subprocess.run(typed(products, models), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return models


def typed(products: Path, models: Path, *more: str) -> Sequence[str]:
    """The command, as a process of its own."""
    asked = ["fit", "--each", f"{products}/*/good", "-o", str(models), *OPTIONS, *more]
    return [sys.executable, "-c", "from blemish.cli.main import main; main()", *asked]


def killed_in_the_middle(command: Sequence[str], models: Path) -> set[str]:
    """The models that a command leaves which is killed once two are there."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while len(list(models.glob(".*.made-of.json"))) < 2:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    return {path.name for path in models.glob("*.blemish")}


def goes_on(products: Path, models: Path, undisturbed: Path, *more: str) -> None:
    """Kill the command, and repeat it."""
    there = killed_in_the_middle(typed(products, models, *more), models)
    assert 2 <= len(there) < len(NAMES)
    # Workers of Ray may write what they were at for a moment yet.
    before = {path.name: path.stat().st_mtime_ns for path in models.glob("*.blemish")}
    done = subprocess.run(typed(products, models, *more, "--json"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    kept = [row["product"] for row in json.loads(done.stdout) if row["kept"]]
    assert f"{len(kept)} of {len(NAMES)} models are there already, of these images and settings" in done.stderr
    assert len(kept) >= 2
    for name in NAMES:
        assert_equal(blemish.load(undisturbed / f"{name}.blemish"), blemish.load(models / f"{name}.blemish"))
        if name in kept and f"{name}.blemish" in before:
            assert (models / f"{name}.blemish").stat().st_mtime_ns == before[f"{name}.blemish"]


def test_a_command_that_was_killed_goes_on_with_the_products_that_are_missing(
    products: Path, undisturbed: Path, tmp_path: Path
) -> None:
    goes_on(products, tmp_path, undisturbed)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (extra ray)")
def test_a_command_on_ray_that_was_killed_goes_on(products: Path, undisturbed: Path, tmp_path: Path) -> None:
    goes_on(products, tmp_path, undisturbed, "--cluster", "local")


def test_only_a_model_of_these_images_and_options_is_kept(tmp_path: Path, run_cli: RunCli) -> None:
    for name in ("bolt", "nut"):
        save_good_parts(tmp_path / name / "good", 6, 40, 48)
    models = tmp_path / "models"
    models.mkdir()
    bolt = models / "bolt.blemish"

    def kept(*more: str) -> list[str]:
        asked = ("fit", "--each", tmp_path / "*" / "good", "-o", models, "--size", "32", "--coreset", "20", "--json")
        outcome = run_cli(*asked, *more)
        assert outcome.code == 0, outcome
        rows = json.loads(outcome.stdout)
        told.append([{name: value for name, value in row.items() if name != "kept"} for row in rows])
        return [row["product"] for row in rows if row["kept"]]

    told: list[object] = []
    assert kept() == []
    assert kept() == ["bolt", "nut"]
    assert told[0] == told[1]
    assert kept("--threads", "1") == ["bolt", "nut"], "they change nothing"
    assert kept("--seed", "7") == []
    assert kept("--seed", "7") == ["bolt", "nut"]
    save_image(tmp_path / "bolt" / "good" / "0.png", good_part(50, 40, 48))
    assert kept("--seed", "7") == ["nut"], "an image was taken anew"
    blemish.load(models / "nut.blemish").save(bolt)
    assert kept("--seed", "7") == ["nut"], "another model has its name"
    bolt.unlink()
    assert kept("--seed", "7") == ["nut"]
    (models / ".bolt.blemish.made-of.json").write_bytes(b"\xff{")
    assert kept("--seed", "7") == ["nut"]


def test_that_models_are_kept_is_there_in_japanese() -> None:
    said = "2 of 12 models are there already, of these images and settings: they are kept."
    assert translated(said) == "12個中2個のモデルは、同じ画像と設定ですでにあります。そのまま残します。"
