"""The examples run as their page says, on a few real cells; the notebook cell by cell, in one namespace."""

import json
import runpy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from blemish.cli import demo_images
from blemish.cli.demo_images import write_demo_images

EXAMPLES = Path(__file__).parent.parent / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))

needs_cells = pytest.mark.skipif(find_spec("elpv_dataset") is None, reason="needs the package elpv-dataset")


@pytest.fixture
def few_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's folder, small, named cells in the folder the examples are started from."""
    for name, count in (("GOOD", 8), ("NEW", 1), ("OK", 3), ("NG", 3), ("TURNED", 1)):
        monkeypatch.setattr(demo_images, name, count)
    write_demo_images(tmp_path / "cells")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cells"


@pytest.mark.long
@needs_cells
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.usefixtures("few_cells")
def test_a_script_runs(script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", [str(script), "cells"])
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out.count("\n") >= 3


def cells_of(notebook: Path) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


@needs_cells
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.usefixtures("few_cells")
def test_a_notebook_runs(notebook: Path) -> None:
    namespace: dict[str, Any] = {}
    for number, cell in enumerate(cells_of(notebook)):
        exec(compile("".join(cell["source"]), f"{notebook.name}, cell {number}", "exec"), namespace)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(notebook: Path) -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells_of(notebook))


def test_the_page_names_every_example() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert len(SCRIPTS) == 4
    assert len(NOTEBOOKS) == 1
    for path in (*SCRIPTS, *NOTEBOOKS):
        assert f"({path.name})" in page
