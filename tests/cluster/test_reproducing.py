"""Cells of a reproduction on workers in this process, against those without a cluster."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from crews import LocalCrew, cluster_of
from parts import good_part, save_defective, save_image, scratched_part

from blemish.cluster.worker import Call
from blemish.data.protocols.tasks import Task
from blemish.data.samples import read_samples
from blemish.options.settings import divide_options
from blemish.reproduction.cell import Cell
from blemish.reproduction.finished import FinishedCells
from blemish.reproduction.measure import Measured, measure
from blemish.reproduction.plan import Entry, carry_out
from blemish.reproduction.seen import SeenImages
from blemish.reproduction.systems import NEAREST, PADIM, System, patchcore


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """Six good parts to fit on; two good and two scratched ones to test, one of these without a mask."""
    root = tmp_path_factory.mktemp("mvtec") / "plate"
    for seed in range(6):
        save_image(root / f"train/good/{seed}.png", good_part(seed))
    for seed in range(2):
        save_image(root / f"test/good/{seed}.png", good_part(100 + seed))
        save_defective(root, "scratch", str(seed), scratched_part(200 + seed))
    bare = root / "test/scratch/1.png"
    samples = [replace(each, mask=None) if each.path == bare else each for each in read_samples(root)]
    return Task("plate", samples, {"size": 64})


def figures(found: Measured) -> dict[str, Any]:
    return found.model_dump(exclude={"fit_seconds", "inspect_seconds"})


@pytest.mark.parametrize("system", [patchcore(10), patchcore(100), PADIM, NEAREST], ids=lambda system: system.name)
def test_a_cell_on_workers_is_that_of_one_process(task: Task, tmp_path: Path, system: System) -> None:
    met: list[str] = []

    def noted(number: int, call: Call) -> bool:
        met.append(call.method)
        return False

    _, resources = divide_options({"threads": 1, "spill_folder": tmp_path})
    cell = Cell(task, {"method": system.method, **system.options}, shots=4)
    here = measure(cell, resources, SeenImages())
    there = measure(cell, resources, SeenImages(), cluster=cluster_of(LocalCrew(2, noted)))
    assert figures(there) == figures(here)
    assert there.pixel_auroc is not None or system is NEAREST
    assert ("extract" in met, "call" in met) == (system.name == "PatchCore-10", True)
    assert list(tmp_path.iterdir()) == []


def test_what_a_cluster_does_not_fit_is_fitted_here_and_said(task: Task, tmp_path: Path) -> None:
    said: list[str] = []
    _, resources = divide_options({"threads": 1, "spill_folder": tmp_path / "spill"})
    entries = [Entry(system, task, ["image AUROC"]) for system in (patchcore(10), PADIM)]
    cluster = cluster_of(LocalCrew(1))
    found = carry_out(entries, FinishedCells(tmp_path), resources, seeds=1, say=said.append, cluster=cluster)
    assert [outcome.missing for outcome in found] == [None, None]
    assert [sentence for sentence in said if "fitted by this process" in sentence] == [
        "PaDiM, plate, all images: fitted by this process; a cluster fits patchcore with a coreset below 100 % only."
    ]
