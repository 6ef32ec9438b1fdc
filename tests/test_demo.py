"""The demo, in small."""

import csv
import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from shell import RunCli

from blemish.cli import whole_job as demo
from blemish.data.protocols import solar_cells as cells_of_package
from blemish.data.protocols.solar_cells import solar_cells
from blemish.detector import load
from blemish.errors import DataError
from blemish.fitting import fit

needs_cells = pytest.mark.skipif(find_spec("elpv_dataset") is None, reason="needs the package elpv-dataset")


@needs_cells
def test_the_cells_are_those_whose_experts_were_sure() -> None:
    cells = solar_cells()
    assert (len(cells.functional), len(cells.defective)) == (588, 313)
    assert cells.functional[0].is_file()
    assert not set(cells.functional) & set(cells.defective)


@needs_cells
def test_a_small_demo_leaves_model_page_and_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_cli: RunCli
) -> None:
    for name, count in (("GOOD_TO_FIT", 4), ("GOOD_TO_TEST", 3), ("DEFECTIVE_TO_TEST", 3), ("SHOWN", 2)):
        monkeypatch.setattr(demo, name, count)
    monkeypatch.setattr(demo, "fit", lambda images, **options: fit(images, size=64, coreset=20, **options))
    outcome = run_cli("demo", "--output", tmp_path / "out" / "demo", "--json")
    assert outcome.code == 0
    numbers = json.loads(outcome.stdout)
    assert (numbers["good cells fitted"], numbers["cells inspected"]) == (4, 6)
    assert 0 <= numbers["image AUROC"] <= 1
    out = tmp_path / "out" / "demo"
    assert sorted(path.name for path in out.iterdir()) == ["index.html", "numbers.csv", "solar-cells.blemish"]
    assert load(out / "solar-cells.blemish").info()["images"] == 4
    assert (out / "index.html").read_text(encoding="utf-8").count("<figure") == 4
    with (out / "numbers.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == list(numbers)


@needs_cells
@pytest.mark.slow
def test_the_whole_demo_separates_the_cells(tmp_path: Path) -> None:
    numbers, _ = demo.run_demo(tmp_path)
    assert numbers["image AUROC"] > 0.95  # 0.963 at 256 px; the draw is fixed


def test_without_the_package_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells_of_package, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'blemish\[demo\]'"):
        demo.run_demo(tmp_path / "out")
    assert not (tmp_path / "out").exists()
