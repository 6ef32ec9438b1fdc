"""What each table and figure asks to be measured, on miniature data sets; nothing is measured here."""

from pathlib import Path

import pytest
from parts import good_part, save_image
from published_trees import TREES

from blemish.errors import DataError
from blemish.reproduction import curves
from blemish.reproduction.curves import plan_figure6, plan_shots
from blemish.reproduction.paper_tables import plan_mvtec, plan_table6
from blemish.reproduction.plan import Entry


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def make(data: Path, *keys: str) -> None:
    for key in keys:
        (data / key).mkdir(parents=True)
        TREES[key](data / key)


def brief(entries: list[Entry]) -> list[tuple[str, str, str]]:
    """Task, system and the paper's figures of each entry."""
    return [(e.task.name, e.system.name, ", ".join(map(str, e.paper.values()))) for e in entries]


def test_table6(data: Path, tmp_path: Path) -> None:
    make(data, "mtd", "ped2")
    entries = plan_table6(data, tmp_path, {})
    assert brief(entries) == [
        ("Magnetic Tile, published split", "PatchCore-10", "97.9"),
        ("Magnetic Tile, published split", "DifferNet", "97.7"),
        ("Magnetic Tile, published split", "1-NN", "80"),
        ("Magnetic Tile, published split", "GANomaly", "76.6"),
        ("Magnetic Tile, published split", "PaDiM", ""),
        ("Magnetic Tile, published split", "SPADE", ""),
        ("UCSD Ped2", "PatchCore-10", "91.8"),
        ("UCSD Ped2", "PaDiM", "91.2"),
        ("UCSD Ped2", "SPADE", "89.9"),
        ("UCSD Ped2", "CAVGA-R_u", "85"),
    ]
    on_frames = entries[6].cell(0).settings
    assert (on_frames.taps, on_frames.size, on_frames.coreset) == ((3, 4), 256, 0.1)
    assert entries[6].remarks == ("UCSD Ped2 in place of ShanghaiTech Campus, which is not at hand",)


def test_table6_takes_shanghaitech_where_it_is_there(data: Path, tmp_path: Path) -> None:
    make(data, "shanghaitech", "ped2")
    entries = plan_table6(data, tmp_path / "derived", {})
    assert {entry.task.name for entry in entries} == {"ShanghaiTech Campus (mSTC)"}
    assert {entry.remarks for entry in entries} == {()}


def test_figure6_on_mvtec(data: Path, tmp_path: Path) -> None:
    make(data, "mvtec")
    for category in ("bottle", "cable"):
        for number in range(1, 12):
            save_image(data / "mvtec" / category / f"train/good/{number:03}.png", good_part(number))
    entries = plan_figure6(data, tmp_path, {})
    bottle = [entry for entry in entries if entry.task.name == "bottle"]
    assert [entry.label for entry in bottle if entry.system.name == "SPADE"] == [
        "1",
        "2",
        "5",
        "10",
        "one fifth",
        "all",
    ]
    assert [entry.shots for entry in bottle if entry.system.name == "PaDiM"] == [1, 2, 5, 10, 2, None]
    five = next(entry for entry in bottle if entry.label == "5")
    assert [str(printed) for printed in five.paper.values()] == ["91 ± 0.9", "94.8 ± 0.1", "88.8 ± 0.2"]


def test_sixteen_shots_of_differnet_only_where_there_are_sixteen(data: Path, tmp_path: Path) -> None:
    make(data, "mvtec")
    assert "DifferNet" not in {entry.system.name for entry in plan_figure6(data, tmp_path, {})}
    for number in range(1, 17):
        save_image(data / "mvtec/bottle" / f"train/good/{number:03}.png", good_part(number))
    (differnet,) = (entry for entry in plan_figure6(data, tmp_path, {}) if entry.system.name == "DifferNet")
    assert (differnet.task.name, differnet.shots) == ("bottle", 16)


def test_figure6_in_the_place_of_mvtec(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_package() -> None:
        raise DataError("The demo needs the package elpv-dataset")

    monkeypatch.setattr(curves, "solar_cell_task", no_package)
    with pytest.raises(DataError, match="MVTec AD is not in"):
        plan_figure6(data, tmp_path, {})
    make(data, "mtd")
    entries = plan_figure6(data, tmp_path, {})
    assert {entry.task.name for entry in entries} == {"Magnetic Tile, no tile in both halves"}
    assert all("in place of MVTec AD" in entry.remarks[0] for entry in entries)
    assert all(entry.remarks[1].startswith("solar cells are left out: The demo needs") for entry in entries)


def test_shots_of_anything(data: Path, tmp_path: Path) -> None:
    make(data, "mvtec", "kolektor2")
    entries = plan_shots(data, tmp_path, {"backbone": "mine"})
    assert {entry.task.name for entry in entries} == {"bottle", "cable", "KolektorSDD2"}
    assert {entry.options["backbone"] for entry in entries} == {"mine"}


def test_mvtec_prints_the_figures_of_each_category(data: Path, tmp_path: Path) -> None:
    make(data, "mvtec")
    assert brief(plan_mvtec(data, tmp_path, {}))[:4] == [
        ("bottle", "PatchCore-25", "100, 98.6, 96.2"),
        ("bottle", "PatchCore-10", "100, 98.6, 96.1"),
        ("bottle", "PatchCore-1", "100, 98.5, 95.9"),
        ("cable", "PatchCore-25", "99.5, 98.4, 92.5"),
    ]
