"""Evaluations on workers in this process, against those without a cluster."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from crews import LocalCrew, cluster_of
from parts import good_part, save_defective, save_image, scratched_part

import blemish
from blemish.cluster.worker import Call
from blemish.data.samples import Sample, read_samples
from blemish.errors import OptionError
from blemish.evaluation.evaluation import Evaluation


@pytest.fixture(scope="module")
def category(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good parts, scratched ones with masks, one of them unreadable, and a good one that the model knows."""
    root = tmp_path_factory.mktemp("plate")
    for seed in range(8):
        save_image(root / f"train/good/{seed}.png", good_part(seed))
    for seed in (*range(100, 104), 0):
        save_image(root / f"test/good/{seed}.png", good_part(seed))
    for seed in range(4):
        save_defective(root, "scratch", str(seed), scratched_part(200 + seed))
    (root / "test/scratch/3.png").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def fitted(category: Path) -> blemish.Detector:
    return blemish.fit(category / "train/good", size=64, coreset=60, threads=1, progress=False)


class Watching(LocalCrew):
    """A crew that keeps what comes back from the functions it was sent."""

    def __init__(self) -> None:
        super().__init__(2)
        self.results: list[blemish.Result] = []

    def _answer(self, worker: int, call: Call) -> Any:
        answers = super()._answer(worker, call)
        if call.method == "call":
            self.results += [each for each in answers if isinstance(each, blemish.Result)]
        return answers


def figures(found: Evaluation) -> str:
    """All that an evaluation says, but how long it took; NaN equals NaN."""
    return repr({each.name: getattr(found, each.name) for each in fields(found) if each.name != "seconds_per_image"})


def both(fitted: blemish.Detector, samples: list[Sample]) -> tuple[Evaluation, list[blemish.Result]]:
    """An evaluation that is the same with a cluster and without, and the results that travelled."""
    crew = Watching()
    here = blemish.evaluate(fitted, samples, progress=False)
    there = blemish.evaluate(fitted, samples, progress=False, cluster=cluster_of(crew))
    assert figures(there) == figures(here)
    return there, crew.results


def test_an_evaluation_on_workers_is_that_of_one_process(fitted: blemish.Detector, category: Path) -> None:
    samples = read_samples(category)
    unmasked = next(number for number, sample in enumerate(samples) if sample.label)
    samples[unmasked] = replace(samples[unmasked], mask=None)
    found, results = both(fitted, samples)
    assert found.pixels is not None
    assert len(found.errors) == 1
    assert "1 of 9 test images are in the memory" in found.notes[0]
    assert [each.anomaly_map is None for each in results] == [
        sample.label and (sample.mask is None or sample.path.stem == "3")
        for sample in samples
        if sample.split == "test"
    ], "maps travel only where they are measured"
    assert all((each.mask, each.picture, each.matches) == (None, None, None) for each in results)


def test_without_masks_no_map_travels(fitted: blemish.Detector, category: Path) -> None:
    _, results = both(fitted, [replace(sample, mask=None) for sample in read_samples(category)])
    assert len(results) == 9
    assert all(each.anomaly_map is None for each in results)


def test_an_export_is_refused(category: Path) -> None:
    class Export:
        threshold = 1.0

        def inspect_many(self, images: Any) -> Any:
            raise AssertionError("nothing is inspected")

    with pytest.raises(OptionError, match="Option cluster cannot be used with an export"):
        blemish.evaluate(Export(), read_samples(category), cluster=cluster_of(LocalCrew(1)))
