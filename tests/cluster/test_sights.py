"""Machines whose processors give other bits: an inspection says so, once, and goes on."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crews import LocalCrew, assert_equal, cluster_of
from parts import good_part, save_image, scratched_part
from PIL import Image

import blemish
from blemish.cluster.cluster import Cluster
from blemish.cluster.inspecting import _InspectPart, inspect_many
from blemish.cluster.worker import Call, Worker
from blemish.detector import Detector
from blemish.evaluation.elsewhere import InspectEach
from blemish.features.made_up import Sees
from blemish.language.translation import translated
from blemish.reproduction.answer import AnswerEach

SAID = (
    "Two machines of the cluster (x86_64, old and x86_64, new) find other patches in the same image: a row depends in "
    "its last digits on the machine that makes it; use machines of one kind where rows must be equal."
)
Machines = Callable[..., None]


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Machines:
    """Let the workers that are asked, one after the other, be these machines, and then the last one of them."""

    def are(*names: str) -> None:
        asked: Iterator[str] = chain(names, repeat(names[-1]))

        def sees(worker: Worker, sent: Any) -> tuple[str, str]:
            _, honest = seen(worker, sent)
            name = next(asked)
            return f"x86_64, {name}", honest if name == "old" else f"{honest}, rounded as by {name}"

        monkeypatch.setattr(Worker, "sees", sees)

    seen = Worker.sees
    return are


def saying(crew: LocalCrew) -> tuple[Cluster, list[str]]:
    """A cluster of this crew, and what it says."""
    said: list[str] = []
    cluster = cluster_of(crew)
    cluster._say = said.append
    return cluster, said


def test_machines_that_see_differently_are_said_once_and_the_rows_go_on(
    detector: Detector, folder: Path, machines: Machines
) -> None:
    paths = sorted((folder / "line").iterdir())
    cluster, said = saying(LocalCrew(3))
    machines("old", "new", "new")
    rows = blemish.table(inspect_many(cluster, detector, paths))
    assert repr(rows) == repr(blemish.table(detector.inspect_many(paths)))
    assert said == [SAID]
    assert translated(SAID).startswith("クラスターの2台の機器(x86_64, old と x86_64, new)が")


def test_a_machine_that_takes_the_place_of_another_is_compared_too(
    detector: Detector, folder: Path, machines: Machines
) -> None:
    calls: Counter[str] = Counter()

    def dies(number: int, call: Call) -> bool:
        calls[call.method] += 1
        return call.method == "call" and calls["call"] == 1

    cluster, said = saying(LocalCrew(2, dies))
    machines("old", "old", "new")
    assert len(list(inspect_many(cluster, detector, sorted((folder / "line").iterdir())))) == 4
    assert said == [SAID]


def test_an_evaluation_compares_its_machines_too(
    detector: Detector, folder: Path, tmp_path: Path, machines: Machines
) -> None:
    save_image(tmp_path / "test" / "good" / "0.png", good_part(90))
    save_image(tmp_path / "test" / "scratch" / "0.png", scratched_part(91).grey)
    save_image(tmp_path / "train" / "good" / "0.png", good_part(0))
    cluster, said = saying(LocalCrew(2))
    machines("old", "new")
    blemish.evaluate(detector, tmp_path, progress=False, cluster=cluster)
    assert said == [SAID]


def test_machines_of_one_kind_are_told_nothing_and_all_that_inspects_says_how_it_sees(
    detector: Detector, folder: Path
) -> None:
    cluster, said = saying(LocalCrew(2))
    list(inspect_many(cluster, detector, sorted((folder / "line").iterdir())))
    assert said == []
    assert all(issubclass(each, Sees) for each in (InspectEach, _InspectPart, AnswerEach))


def test_the_digest_is_of_the_last_bit_of_what_the_network_finds(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = InspectEach(detector).sees()
    assert InspectEach(detector).sees() == honest
    network = detector.extractors.shared

    def other(sized: Any) -> Any:
        grids = network(sized)
        return {name: np.nextafter(grid, np.float32(np.inf)) for name, grid in grids.items()}

    monkeypatch.setattr(detector.extractors, "shared", other)
    assert InspectEach(detector).sees() != honest


def test_good_images_of_16_bits_are_fitted_on_a_cluster(tmp_path: Path) -> None:
    """The made-up image had 8, which a network for 16 does not take."""
    good = tmp_path / "good"
    good.mkdir()
    for seed in range(8):
        Image.fromarray(good_part(seed, 40, 48).astype(np.uint16) * 250).save(good / f"{seed}.png")
    options: dict[str, Any] = {"size": 32, "coreset": 40, "seed": 1, "threads": 1, "progress": False}
    there = blemish.fit(good, cluster=cluster_of(LocalCrew(2)), spill_folder=tmp_path, **options)
    assert_equal(blemish.fit(good, **options), there)
