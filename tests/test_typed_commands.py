"""The commands of the docs run as they stand, in the folder that `blemish demo --images` writes."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from shell import RunCli

from blemish.cli import demo_images
from blemish.cli.demo_images import write_demo_images
from blemish.errors import DataError

ROOT = Path(__file__).parent.parent
NAMES = ("quickstart", "operating-point", "feedback", "recipes")
PAGES = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in NAMES)]
MANY = ("quickstart.md", "operating-point.md")
"""Pages with so many commands that they take a minute."""
STARTING = ("README.md", "quickstart.md", "recipes.md")
"""Pages that fit part.blemish themselves; the others have it already."""
ELSEWHERE = {
    "backbone export": "needs torch and a download; tests/trained covers it",
    "backbone import": "needs a network of the user's own; tests/test_backbone.py covers it",
    "wide_resnet50_2": "needs the network exported before",
    "openvino": "needs the extra; tests/test_openvino.py covers it",
    "blemish serve": "serves until it is stopped; tests/test_service.py covers it",
    "--cluster": "needs the extra and a folder for each product; tests/cluster covers it",
    "blemish tune": "takes a minute; tests/test_tuning.py covers it",
    "blemish adapt": "needs the extra and minutes; tests/trained/test_adapting.py covers it",
    "blemish[adapt]": "installs PyTorch",
    "--config cells.toml": "needs the network adapted before",
}
"""Commands, known by a word of them, that cannot run here, and why."""

needs_cells = pytest.mark.skipif(find_spec("elpv_dataset") is None, reason="needs the package elpv-dataset")


def commands(page: Path) -> list[str]:
    """The lines of a page's shell blocks that begin with `blemish`."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("blemish ")]


def write_recipe(page: Path, target: Path) -> None:
    """The recipe that a page shows, if it shows one, as the file its commands name."""
    for recipe in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        target.write_text(recipe, encoding="utf-8")


@pytest.fixture
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, count in (("GOOD", 6), ("NEW", 6), ("OK", 3), ("NG", 3), ("TURNED", 4)):
        monkeypatch.setattr(demo_images, name, count)


def _marked(page: Path) -> Any:
    return pytest.param(page, id=page.name, marks=[pytest.mark.long] if page.name in MANY else [])


@needs_cells
@pytest.mark.parametrize("page", [_marked(page) for page in PAGES])
@pytest.mark.usefixtures("few_images")
def test_commands_run_as_typed(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_cli: RunCli) -> None:
    write_demo_images(tmp_path / "cells")
    monkeypatch.chdir(tmp_path / "cells")
    write_recipe(page, Path("part.toml"))
    if page.name not in STARTING:
        run_cli("fit", "good", "-o", "part.blemish")
    for line in commands(page):
        if not any(word in line for word in ELSEWHERE):
            outcome = run_cli(*shlex.split(line.partition(" > ")[0], comments=True)[1:])
            assert outcome.code in (0, 1, 3), f"{line}\n{outcome.stderr}"


@needs_cells
@pytest.mark.usefixtures("few_images")
def test_the_command_copies_cells(tmp_path: Path, run_cli: RunCli) -> None:
    outcome = run_cli("demo", "--images", tmp_path / "cells")
    assert outcome.code == 0
    assert f"{tmp_path / 'cells' / 'line'}: 6 images" in outcome.stdout
    copied = [path.read_bytes() for path in (tmp_path / "cells").glob("*/*.png")]
    assert len(copied) == len(set(copied)) == 6 + 6 + 6 + 3 + 3 + 4


@needs_cells
@pytest.mark.usefixtures("few_images")
def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_bytes(b"mine")
    with pytest.raises(DataError, match="name a new one"):
        write_demo_images(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.png"]


@pytest.mark.parametrize("options", [(), ("--output", "a", "--images", "b")])
def test_one_of_two_places_is_asked_for(options: tuple[str, ...], run_cli: RunCli) -> None:
    assert "--output FOLDER" in run_cli("demo", *options).sentence
