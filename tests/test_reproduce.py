"""`blemish reproduce` on miniature data sets: finished cells, missing data, tables, figures, and every method."""

import csv
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parts import good_part, save_defective, save_image, scratched_part
from shell import RunCli

from blemish.data.protocols.tasks import Task
from blemish.data.samples import read_samples
from blemish.errors import DataError, OptionError
from blemish.methods.registry import METHODS
from blemish.options.settings import Settings, divide_options, readers
from blemish.reproduction import measure as measuring
from blemish.reproduction import plan as planning
from blemish.reproduction import systems
from blemish.reproduction.cell import Cell
from blemish.reproduction.chart import Panel, Point, Series, draw
from blemish.reproduction.curves import claims
from blemish.reproduction.finished import FinishedCells
from blemish.reproduction.measure import Measured
from blemish.reproduction.plan import Entry, Outcome
from blemish.reproduction.published import FIGURE_6, MVTEC_CLASSES, Printed
from blemish.reproduction.reproduction import reproduce
from blemish.reproduction.rows import mean_rows
from blemish.reproduction.seen import SeenImages
from blemish.reproduction.systems import CAVGA, DIFFERNET, GANOMALY, NEAREST, PADIM, SPADE, patchcore

TINY: dict[str, Any] = {"size": 64}
_, RESOURCES = divide_options({"threads": 2})
ANSWER = Measured(
    trained_on=4,
    image_auroc=0.9,
    image_interval=(0.8, 1.0),
    average_precision=0.9,
    pixel_auroc=0.95,
    pixel_interval=None,
    aupro=None,
    scenes={},
    fit_seconds=1.0,
    inspect_seconds=0.1,
    notes=[],
)


@pytest.fixture(scope="module")
def category(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A category in MVTec AD's layout: six good parts to fit on, three good and two scratched ones to test."""
    root = tmp_path_factory.mktemp("mvtec") / "plate"
    for seed in range(6):
        save_image(root / f"train/good/{seed:03}.png", good_part(seed))
    for seed in range(3):
        save_image(root / f"test/good/{seed:03}.png", good_part(100 + seed))
    for seed in range(2):
        save_defective(root, "scratch", f"{seed:03}", scratched_part(200 + seed))
    return root


@pytest.fixture
def task(category: Path) -> Task:
    return Task("plate", read_samples(category), TINY)


def test_a_cell_is_measured(task: Task) -> None:
    measured = measuring.measure(Cell(replace(task, scene=lambda sample: sample.defect)), RESOURCES, SeenImages())
    assert measured.trained_on == 6
    assert measured.image_auroc == 1
    assert measured.image_interval == pytest.approx((1, 1))
    assert measured.pixel_auroc is not None
    assert measured.pixel_interval is not None
    assert 0.8 < measured.pixel_interval[0] <= measured.pixel_auroc <= measured.pixel_interval[1] <= 1
    assert measured.aupro is not None
    assert list(measured.scenes) == ["scratch"]
    assert measured.notes == [
        "Pixel metrics need good and defective pixels; 41472 good and 0 defective were looked at."
    ]


@pytest.mark.parametrize("memory", [0, 1_000_000_000])
def test_what_is_kept_of_test_images_changes_nothing(task: Task, memory: int) -> None:
    seen = SeenImages(memory)
    cells = [Cell(task, shots=1), Cell(task, shots=2), Cell(task, {"taps": [3]}, 2)]
    times = {"fit_seconds": 0.0, "inspect_seconds": 0.0}
    for cell in cells:
        kept, afresh = (measuring.measure(cell, RESOURCES, images) for images in (seen, SeenImages()))
        assert kept.model_copy(update=times) == afresh.model_copy(update=times)


def test_one_shot_is_enough_to_measure(task: Task) -> None:
    assert measuring.measure(Cell(task, shots=1), RESOURCES, SeenImages()).trained_on == 1


def test_seeds_draw_other_shots(task: Task) -> None:
    drawn = [tuple(sample.path for sample in Cell(task, shots=2, seed=seed).train) for seed in range(9)]
    assert len(set(drawn)) > 1
    assert Cell(task, shots=2, seed=3).train == Cell(task, shots=2, seed=3).train


def test_the_cells_option_holds_over_the_tasks(task: Task) -> None:
    assert Cell(task).settings.size == 64
    assert Cell(task, {"size": 96}).settings.size == 96


def test_a_finished_cell_is_found_and_any_other_is_not(task: Task, tmp_path: Path, category: Path) -> None:
    finished = FinishedCells(tmp_path / "cells")
    cell = Cell(task, {"coreset": 0.1}, 2, 0)
    assert finished.find(cell) is None
    finished.keep(cell, ANSWER)
    assert finished.find(cell) == ANSWER
    others = [
        replace(cell, options={"coreset": 0.2}),
        replace(cell, options={}),
        replace(cell, shots=3),
        replace(cell, seed=1),
        replace(cell, task=replace(task, samples=task.samples[:-1])),
        replace(cell, task=replace(task, name="other")),
    ]
    assert [finished.find(other) for other in others] == [None] * len(others)


def test_means_over_categories_are_taken_seed_by_seed(task: Task) -> None:
    def outcome(category: str, *aurocs: float) -> Outcome:
        entry = Entry(patchcore(10), replace(task, name=category), ("image AUROC",))
        return Outcome(entry, [ANSWER.model_copy(update={"image_auroc": value}) for value in aurocs])

    outcomes = [outcome("bottle", 0.9, 0.8), outcome("cable", 0.7, 0.9)]
    paper = {(name, "PatchCore-10", "image AUROC"): Printed(99) for name in ("bottle", "cable", "mean")}
    (row,) = mean_rows(outcomes, "net", paper)
    assert (row.task, row.paper, row.seeds, row.remark) == ("mean of 2", "99", 2, "")
    assert (row.lowest, row.measured, row.highest) == pytest.approx((80, 82.5, 85))
    (row,) = mean_rows(outcomes, "net", paper | {("screw", "PatchCore-10", "image AUROC"): Printed(98)})
    assert (row.paper, row.remark) == ("-", "the paper's mean is over 3")
    assert mean_rows(outcomes[:1], "net", paper) == []


def test_a_changed_image_is_not_confused_with_a_finished_one(category: Path, tmp_path: Path) -> None:
    image = save_image(tmp_path / "copy/train/good/0.png", good_part(0))
    save_image(tmp_path / "copy/test/good/0.png", good_part(1))
    finished = FinishedCells(tmp_path / "cells")
    cell = Cell(Task("copy", read_samples(tmp_path / "copy")))
    finished.keep(cell, ANSWER)
    save_image(image, good_part(5))
    assert finished.find(cell) is None


@pytest.mark.parametrize("damage", ["", "{", '{"question": {}}', '{"question": 1, "answer": {"image_auroc": 1}}'])
def test_a_damaged_cell_is_measured_again(task: Task, tmp_path: Path, damage: str) -> None:
    finished = FinishedCells(tmp_path)
    finished.keep(Cell(task), ANSWER)
    (file,) = tmp_path.iterdir()
    file.write_text(damage)
    assert finished.find(Cell(task)) is None


def test_an_interrupted_run_goes_on_where_it_was(
    category: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def interrupted(cell: Cell, **_: object) -> Measured:
        asked.append(cell.seed)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return ANSWER

    monkeypatch.setattr(planning, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reproduce("mvtec", category.parent, tmp_path, systems=["PatchCore-10"], seeds=3)
    reproduced = reproduce("mvtec", category.parent, tmp_path, systems=["patchcore-10"], seeds=3)
    assert asked == [0, 1, 1, 2]
    assert [row.seeds for row in reproduced.rows if row.metric == "image AUROC"] == [3]


def test_mvtec_from_the_command_line(category: Path, tmp_path: Path, run_cli: RunCli) -> None:
    arguments = ["reproduce", "mvtec", "--data", category.parent, "-o", tmp_path, "--system", "PatchCore-1", "--json"]
    done = run_cli(*arguments)
    assert done.code == 0, done.stderr
    printed = json.loads(done.stdout)
    assert [(row["system"], row["metric"], row["paper"]) for row in printed["rows"]] == [
        ("PatchCore-1", metric, "-") for metric in ("image AUROC", "pixel AUROC", "PRO")
    ]
    assert printed["rows"][0]["measured"] == 100
    assert json.loads((tmp_path / "mvtec.json").read_text())["rows"] == printed["rows"]
    with (tmp_path / "mvtec.csv").open(encoding="utf-8-sig", newline="") as lines:
        assert float(next(csv.DictReader(lines))["measured"]) == 100
    assert "| plate | PatchCore-1 | all | image AUROC | - | 100.00 |" in (tmp_path / "mvtec.md").read_text()
    ElementTree.parse(tmp_path / "mvtec.svg")
    again = run_cli(*arguments)
    assert again.stdout == done.stdout


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("table6", ("Magnetic Tile Defects is not in", "ShanghaiTech Campus is not in", "UCSD Ped2 is not in")),
        ("mvtec", ("MVTec AD is not in", "CC BY-NC-SA 4.0", "https://www.mvtec.com")),
        ("shots", ("holds no data set that is known", "MVTec AD (mvtec)")),
    ],
)
def test_missing_data_is_explained(name: str, words: tuple[str, ...], tmp_path: Path, run_cli: RunCli) -> None:
    (tmp_path / "empty").mkdir()
    sentence = run_cli("reproduce", name, "--data", tmp_path / "empty", "-o", tmp_path / "out").sentence
    assert all(word in sentence for word in words), sentence


def test_names_that_are_not_there(category: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match='no reproduction "table7"; there are table6, figure6, mvtec, shots'):
        reproduce("table7", category, tmp_path)
    with pytest.raises(OptionError, match="no system padim here; there are PatchCore-25, PatchCore-10, PatchCore-1"):
        reproduce("mvtec", category.parent, tmp_path, systems=["padim"])
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file cannot be made"):
        reproduce("mvtec", category.parent, tmp_path / "file")


def outcome(task: Task, system: Any, label: str, values: list[float], missing: str | None = None) -> Outcome:
    runs = [ANSWER.model_copy(update={"image_auroc": value}) for value in values]
    return Outcome(Entry(system, task, ["image AUROC"], None, label), runs, missing)


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [([0.91, 0.93], [0.8, 0.9], "shown"), ([0.7], [0.8, 0.9], "refuted"), ([0.7, 0.85], [0.8], "seeds overlap")],
)
def test_claims_hold_only_where_no_seed_says_otherwise(
    task: Task, ours: list[float], theirs: list[float], verdict: str
) -> None:
    few, all_ = outcome(task, patchcore(25), "one fifth", ours), outcome(task, SPADE, "all", theirs)
    (sentence,) = (each for each in claims([few, all_]) if "image AUROC" in each)
    assert sentence.startswith("plate, image AUROC: PatchCore-25 with one fifth images ")
    assert sentence.endswith(f": {verdict}")


def test_a_claim_against_a_system_that_was_not_run_says_so(task: Task) -> None:
    ours = outcome(task, patchcore(25), "16", [0.9])
    (sentence,) = claims([ours, outcome(task, DIFFERNET, "16", [], "not run: training needs torch")])
    assert (
        sentence == "plate: PatchCore-25 with 16 images against DifferNet with 16 images: not run: training needs torch"
    )


def test_the_printed_figures_are_whole() -> None:
    assert len(MVTEC_CLASSES) == 16 * 9
    for percent, mean in ((25, 99.1), (10, 99.0), (1, 99.0)):
        column = [
            v.value
            for (name, system, metric), v in MVTEC_CLASSES.items()
            if name != "mean" and (system, metric) == (f"PatchCore-{percent}", "image AUROC")
        ]
        assert np.mean(column) == pytest.approx(mean, abs=0.11)
    assert FIGURE_6["PatchCore-25", "image AUROC", 16] == (95.5, 0.6)
    assert len(FIGURE_6) == 37


def test_a_chart_is_svg_and_shows_what_it_is_given() -> None:
    series = [
        Series("A & B", [Point("1", 80, 70, 90), Point("all", 95, 95, 95)]),
        Series("A & B", [Point("1", 85, 85, 85)], of_paper=True),
    ]
    empty = Panel("empty", ["1"], [Series("A", [])], joined=True)
    picture = ElementTree.fromstring(draw([Panel("curves", ["1", "all"], series, joined=True), empty]))
    texts = [element.text for element in picture.iter() if element.tag.endswith("text")]
    assert {"curves", "A & B", "1", "all", "hollow: the paper"} <= set(texts)
    assert "empty" not in texts
    assert sum(element.tag.endswith("polyline") for element in picture.iter()) == 2


EVERY_METHOD = [
    pytest.param(method, marks=pytest.mark.torch if ".trained." in home else []) for method, home in METHODS.items()
]


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_every_method_runs_on_a_tiny_set(method: str, task: Task) -> None:
    options: dict[str, Any] = {"method": method}
    if "epochs" in Settings.model_fields and method in readers("epochs"):
        options["epochs"] = 2
    measured = measuring.measure(Cell(task, options), RESOURCES, SeenImages())
    assert measured.image_auroc is not None
    assert 0 <= measured.image_auroc <= 1
    assert measured.trained_on == 6


def test_a_system_that_cannot_be_trained_here_says_what_installs_it(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systems, "find_spec", lambda name: None)
    entries = [
        Entry(patchcore(1), task, ["image AUROC"]),
        Entry(replace(DIFFERNET, method="patchcore", options={"coreset": 0.5}), task, ["image AUROC"]),
    ]
    monkeypatch.setattr(planning, "measure", lambda *_, **__: ANSWER)
    said: list[str] = []
    found = planning.carry_out(entries, FinishedCells(tmp_path), RESOURCES, seeds=2, say=said.append)
    assert [outcome.missing for outcome in found] == [
        None,
        "not run: training needs torch; pip install 'blemish[torch]'",
    ]
    assert len(said) == 2


def test_what_no_seed_changes_is_measured_once(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        Entry(SPADE, task, ["image AUROC"]),
        Entry(SPADE, task, ["image AUROC"], shots=2),
        Entry(PADIM, task, ["image AUROC"]),
    ]
    monkeypatch.setattr(planning, "measure", lambda *_, **__: ANSWER)
    found = planning.carry_out(entries, FinishedCells(tmp_path), RESOURCES, seeds=3, say=lambda sentence: None)
    assert [len(outcome.runs) for outcome in found] == [1, 3, 3]


def test_a_system_that_fails_is_a_row_too(task: Task, tmp_path: Path) -> None:
    entries = [Entry(replace(patchcore(1), options={"taps": ["absent"]}), task, ["image AUROC"])]
    (found,) = planning.carry_out(entries, FinishedCells(tmp_path), RESOURCES, seeds=1, say=lambda sentence: None)
    assert found.missing is not None
    assert found.missing.startswith("not run: Backbone efficientnet_lite0 has no tap absent")
    assert list(tmp_path.iterdir()) == []


def test_the_systems_are_methods_that_exist() -> None:
    every = (patchcore(1), PADIM, SPADE, NEAREST, DIFFERNET, GANOMALY, CAVGA)
    assert {system.method for system in every} == set(METHODS)
