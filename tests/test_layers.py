"""The import rules in pyproject.toml: they hold, and a file that breaks one is named."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def lint(folder: Path) -> tuple[int, str]:
    """Check the import rules of the package in a folder; all spaces are single ones in what is said."""
    program = Path(sys.executable).parent / "lint-imports"
    words: list[str | Path] = [program, "--no-logo", "--no-cache", "--config", ROOT / "pyproject.toml"]
    environment = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"}
    ended = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return ended.returncode, " ".join((ended.stdout + ended.stderr).split())


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT / "src" / "blemish", folder / "blemish", ignore=shutil.ignore_patterns("*.so", "*.onnx"))
    return folder


def test_the_rules_hold(package: Path) -> None:
    code, said = lint(package)
    assert code == 0, said
    assert "3 kept, 0 broken" in said


@pytest.mark.parametrize(
    ("file", "line", "names"),
    [
        ("memory/bank.py", "from blemish.detector import load", "blemish.memory.bank -> blemish.detector"),
        ("system/stream.py", "if TYPE_CHECKING: from blemish import cli", "blemish.system.stream -> blemish.cli"),
        ("fitting.py", "def late(): from blemish.cli import main", "blemish.fitting -> blemish.cli"),
        ("images/places.py", "from blemish.images import transform", "blemish.images"),
        ("scoring/heatmap.py", "import torch", "blemish.scoring.heatmap -> torch"),
    ],
    ids=["upward", "for types only", "inside a function", "circle of files", "torch"],
)
def test_an_import_that_breaks_one_is_named(package: Path, file: str, line: str, names: str) -> None:
    path = package / "blemish" / file
    before = path.read_text(encoding="utf-8")
    path.write_text(f"{before}\nfrom typing import TYPE_CHECKING\n{line}\n", encoding="utf-8")
    code, said = lint(package)
    path.write_text(before, encoding="utf-8")
    assert code == 1
    assert names in said


def test_few_files_lie_outside_the_rooms() -> None:
    assert len(list((ROOT / "src" / "blemish").glob("*.py"))) <= 9


def test_contributing_lists_the_layers_as_they_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["id"] == "layers")
    rooms = {path.stem for path in (ROOT / "src" / "blemish").iterdir()}
    checked = [[room.strip(" ()") for room in layer.split("|") if room.strip(" ()") in rooms] for layer in layers]
    table = re.findall(r"^\| \d+ \| (.*?) \|", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE)
    assert [sorted(re.findall(r"`(\w+)`", row)) for row in table] == [sorted(layer) for layer in reversed(checked)]
