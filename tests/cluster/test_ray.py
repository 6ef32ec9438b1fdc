"""Fits on Ray itself, whose processes are killed in every call and between calls, against those without it."""

import importlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from crews import assert_equal, cluster_of
from parts import good_part, save_defective, save_image, scratched_part, stained_part

import blemish
from blemish.arrays import Bytes
from blemish.cluster.cluster import Cluster
from blemish.cluster.inspecting import inspect_many
from blemish.cluster.products import fit_products, products_of
from blemish.cluster.start import began, refusal
from blemish.cluster.worker import Call
from blemish.errors import DataError, OptionError

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (extra ray)"),
    pytest.mark.skipif(sys.platform != "linux", reason="tells processes and listening ports as Linux does"),
]
if TYPE_CHECKING or find_spec("ray"):
    from blemish.cluster.crew import LOST, Crew
else:
    LOST, Crew = (), object

OPTIONS: dict[str, Any] = {"size": 32, "coreset": 60, "seed": 1, "threads": 1, "progress": False}
SLOW = pytest.mark.slow
KILLS = int(os.environ.get("BLEMISH_KILLS", "4"))
"""Of each seed; more on request."""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some chunks of images: every tenth is the one before, and some are of one grey, whose patches are all equal."""
    folder = tmp_path_factory.mktemp("good")
    for seed in range(70):
        grey: Bytes = np.full((40, 48), 100 + seed // 30, np.uint8)
        image = grey if seed % 30 == 7 else good_part(seed - (seed % 10 == 9), 40, 48)
        save_image(folder / f"{seed:03}.png", image)
    return folder


@pytest.fixture(scope="module")
def alone(good: Path) -> blemish.Detector:
    return blemish.fit(good, **OPTIONS)


@pytest.fixture(scope="module")
def here() -> Iterator[list[int]]:
    """Ray on this machine, for all tests of this file."""
    with began("local", 2) as machines:
        yield machines


class Mortal(Crew):
    """A crew whose workers a test kills: `how(number, call)` says so of each call, by "in the call" or "before it"."""

    def __init__(self, workers: int, how: Callable[[int, Call], str | None], *, by_signal: bool) -> None:
        self._how: Callable[[int, Call], str | None] = lambda number, call: None
        self._by_signal, self._number, self.kills = by_signal, 0, 0
        super().__init__(workers, 1)
        self._processes: list[int] = self.ask(Call("process"))
        self._how = how

    def _send(self, worker: int, call: Call) -> Any:
        self._number += 1
        when = self._how(self._number, call)
        if when == "before it":
            self._kill(worker)
        ref = super()._send(worker, call)
        if when == "in the call":
            self._kill(worker)
        return ref

    def _replace(self, worker: int) -> None:
        super()._replace(worker)
        with suppress(*LOST):  # killed in the last call of its introduction, which it answered yet
            self._processes[worker] = self._answer(super()._send(worker, Call("process")))

    def _kill(self, worker: int) -> None:
        import ray

        self.kills += 1
        if not self._by_signal:
            ray.kill(self._actors[worker])
            return
        with suppress(ProcessLookupError):
            os.kill(self._processes[worker], signal.SIGKILL)
            while _lives(self._processes[worker]):
                time.sleep(0.01)


def _lives(process: int) -> bool:
    with suppress(OSError):
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    return False


def fitted(good: Path, crew: Crew, spill: Path) -> blemish.Detector:
    with crew:
        found = blemish.fit(good, spill_folder=spill, cluster=cluster_of(crew), **OPTIONS)
    assert list(spill.iterdir()) == []
    return found


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.usefixtures("here")
def test_a_fit_on_ray_is_that_of_one_process(good: Path, alone: blemish.Detector, tmp_path: Path, workers: int) -> None:
    assert_equal(alone, fitted(good, Crew(workers, 1), tmp_path))


@pytest.mark.usefixtures("here")
def test_answers_that_are_there_together_are_taken_in_the_order_of_their_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def last_first(refs: list[Any], *, num_returns: int, timeout: float | None = None) -> tuple[list[Any], list[Any]]:
        ready, _ = honest(refs, num_returns=len(refs))
        return ready[::-1][:num_returns], []

    honest = ray.wait
    monkeypatch.setattr(ray, "wait", last_first)
    with Crew(2, 1) as crew:
        queues = {worker: iter([Call("process")] * 9) for worker in range(2)}
        taken = [(worker, place) for worker, place, _ in crew.work(queues)]
    for worker in range(2):
        assert [place for own, place in taken if own == worker] == list(range(9))


@SLOW
@pytest.mark.parametrize("by_signal", [False, True], ids=["ray.kill", "SIGKILL"])
@pytest.mark.usefixtures("here")
def test_workers_killed_in_each_kind_of_call_and_between_calls_change_nothing(
    good: Path, alone: blemish.Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_signal: bool
) -> None:
    monkeypatch.setattr("blemish.memory.coreset.POOL", 256)  # so that a threshold is needed
    met: Counter[str] = Counter()

    def how(number: int, call: Call) -> str | None:
        met[call.method] += 1
        return {1: "in the call", 2: "before it"}.get(met[call.method])

    crew = Mortal(2, how, by_signal=by_signal)
    assert_equal(alone, fitted(good, crew, tmp_path))
    assert {"extract", "start", "member", "meet", "best", "reaching", "take", "rows", "each"} <= set(met)
    assert crew.kills >= 18
    assert crew.lost > 0


@pytest.mark.parametrize("seed", [pytest.param(0, marks=SLOW), 1, pytest.param(2, marks=SLOW)])
@pytest.mark.usefixtures("here")
def test_random_kills_change_nothing(
    good: Path, alone: blemish.Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("blemish.memory.coreset.POOL", 256)
    monkeypatch.setattr("blemish.cluster.shards.RayShards.message", 15_000.0)  # many rounds
    random = np.random.default_rng(seed)  # the first calls are those that hire the crew
    at = set(random.choice(np.arange(8, 84), KILLS, replace=False).tolist())

    def how(number: int, call: Call) -> str | None:
        return ("in the call", "before it")[int(random.integers(2))] if number in at else None

    crew = Mortal(2, how, by_signal=bool(seed % 2))
    assert_equal(alone, fitted(good, crew, tmp_path))
    assert crew.kills == KILLS
    assert crew.lost > 0


@pytest.mark.usefixtures("here")
def test_an_inspection_on_ray_gives_the_rows_of_one_process(
    good: Path, alone: blemish.Detector, tmp_path: Path
) -> None:
    paths = sorted(good.iterdir())[:70]
    save_image(tmp_path / "stained.png", stained_part(3).grey)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    paths += [tmp_path / "stained.png", tmp_path / "broken.png"]
    kinds: set[str] = set()

    def how(number: int, call: Call) -> str | None:
        new = call.method not in kinds
        kinds.add(call.method)
        return "in the call" if new and call.method == "call" else None

    with Mortal(2, how, by_signal=True) as crew:
        there = blemish.table(inspect_many(cluster_of(crew), alone, paths))
        assert crew.lost == 1
    assert repr(there) == repr(blemish.table(alone.inspect_many(paths)))
    assert there[-1]["verdict"] == "ERROR"


def assert_few_wait(cluster: Cluster) -> None:
    """Of heavy answers, four for each of two processors are under way, and the call that follows the one taken."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(99):
            taken.append(number)
            yield -number

    for number, answer in enumerate(cluster.stream(abs, items(), heavy=True)):
        assert answer == number
        assert len(taken) <= number + 8 + 2


@pytest.mark.usefixtures("here")
def test_an_evaluation_on_ray_has_the_figures_of_one_process_and_holds_few_maps(
    alone: blemish.Detector, tmp_path: Path
) -> None:
    for seed in range(24):
        save_defective(tmp_path, "scratch", f"{seed:03}", scratched_part(seed))
        save_image(tmp_path / f"test/good/{seed:03}.png", good_part(100 + seed))
    save_image(tmp_path / "train/good/0.png", good_part(0))
    here = blemish.evaluate(alone, tmp_path, progress=False)
    with Mortal(2, lambda number, call: "in the call" if number == 9 else None, by_signal=True) as crew:
        there = blemish.evaluate(alone, tmp_path, progress=False, cluster=cluster_of(crew))
        assert crew.lost == 1
        assert_few_wait(cluster_of(crew))
    assert there.pixels == here.pixels is not None
    assert (there.predictions, there.notes) == (here.predictions, here.notes)
    assert (there.auroc, there.average_precision, there.f1_max) == (here.auroc, here.average_precision, here.f1_max)


@pytest.mark.usefixtures("here")
def test_products_fitted_on_ray_are_those_of_one_process(tmp_path: Path) -> None:
    for seed, name in enumerate(("bolt", "nut", "ring")):
        for number in range(6):
            save_image(tmp_path / name / f"{number}.png", good_part(10 * seed + number, 40, 48))
    options = {"size": 32, "threads": 1}
    for where in ("here", "there"):
        (tmp_path / where).mkdir()
    folders = [str(tmp_path / name) for name in ("bolt", "nut", "ring")]
    here, there = products_of(folders, tmp_path / "here"), products_of(folders, tmp_path / "there")
    with Crew(2, 1) as crew:
        assert [each.error for each in fit_products(there, options, cluster_of(crew))] == [None] * 3
    assert [each.error for each in fit_products(here, options)] == [None] * 3
    for one, other in zip(here, there, strict=True):
        assert_equal(blemish.load(one.model), blemish.load(other.model))


@pytest.mark.usefixtures("here")
def test_a_second_connection_of_the_process_is_refused() -> None:
    with pytest.raises(OptionError, match="connected to a cluster already"), began("local"):
        pass


@pytest.mark.skipif(shutil.which("ss") is None, reason="there is no ss to list listening ports")
@pytest.mark.usefixtures("here")
def test_a_local_cluster_listens_on_this_machine_only() -> None:
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
    own = [line for line in listening if set(map(int, re.findall(r"pid=(\d+)", line))) & _family(os.getpid())]
    assert len(own) >= 5, "Ray's servers are among them"
    assert [line for line in own if "127.0.0.1]:" not in line and " 127.0.0.1:" not in line] == []


def _family(process: int) -> set[int]:
    """A process and all that it started."""
    below = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(own): int(parent) for own, parent in map(str.split, below.splitlines())}
    found = {process}
    while more := {own for own, parent in parents.items() if parent in found} - found:
        found |= more
    return found


STOPPED = """
import os, signal, sys, blemish
from blemish.cluster.checkpoint import Checkpoint
from blemish.cluster.shards import RayShards
RayShards.message = 15_000.0
kept, rounds = Checkpoint.keep_round, []
def keep(self, run, before, done):
    kept(self, run, before, done)
    rounds.append(before)
    if len(rounds) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
Checkpoint.keep_round = keep
with blemish.connect("local", processors=2, workers=2, checkpoint=sys.argv[3]) as cluster:
    blemish.fit(sys.argv[1], spill_folder=sys.argv[2], cluster=cluster, size=32, coreset=60, seed=1, progress=False)
"""


def test_a_fit_whose_conductor_was_killed_goes_on_with_other_shards(
    good: Path, alone: blemish.Detector, tmp_path: Path, here: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    spill, state = tmp_path / "spill", tmp_path / "state"
    spill.mkdir()
    command = [sys.executable, "-c", STOPPED, str(good), str(spill), str(state)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
    rounds = sorted(path.name for path in state.glob("*-round-*.npz"))
    assert len(rounds) == 3
    monkeypatch.setattr("blemish.cluster.shards.RayShards.message", 15_000.0)
    asked: list[str] = []

    def how(number: int, call: Call) -> None:
        asked.append(call.method)

    with Mortal(1, how, by_signal=True) as crew:
        cluster = cluster_of(crew, str(state))
        found = blemish.fit(good, spill_folder=spill, cluster=cluster, **OPTIONS)
        cluster.clear_checkpoint()
    assert_equal(alone, found)
    assert "member" not in asked, "the first row was kept"
    assert list(state.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("may not mount a small disk here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.usefixtures("here")
def test_a_fit_on_a_full_disk_says_so_leaves_nothing_and_goes_on_when_there_is_room(
    good: Path, alone: blemish.Detector, tmp_path: Path, small_disk: Path
) -> None:
    other = small_disk / "others"
    other.write_bytes(bytes(1_900_000))
    state = str(tmp_path / "state")
    with Crew(2, 1) as crew:
        cluster = cluster_of(crew, state)
        said = rf"spill folder {small_disk} of the machine {platform.node()}: the disk is full"
        with pytest.raises(DataError, match=said):
            blemish.fit(good, spill_folder=small_disk, cluster=cluster, **OPTIONS)
        assert "fit.json" in os.listdir(state)
        other.unlink()
        assert_equal(alone, blemish.fit(good, spill_folder=small_disk, cluster=cluster, **OPTIONS))
    assert list(small_disk.iterdir()) == []


@pytest.mark.usefixtures("here")
def test_versions_of_ray_that_differ_are_said_in_a_sentence() -> None:
    from ray._private.utils import check_version_info, compute_version_info

    own, python = compute_version_info()
    with pytest.raises(RuntimeError) as refused:
        check_version_info({"ray_version": "2.1.0", "python_version": "3.9.1"}, "node-7")
    assert str(refusal("node-7:6379", refused.value)) == (
        f"The cluster node-7:6379 runs Ray 2.1.0 on Python 3.9.1, and this process Ray {own} on Python {python}; "
        f"install the same on all machines."
    )


@pytest.mark.usefixtures("here")
def test_a_machine_that_cannot_load_its_worker_is_said_and_not_taken_for_one_that_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The class is in a module that only this process finds."""
    (tmp_path / "only_here.py").write_text(
        "from blemish.cluster.crew import _Actor\nclass Elsewhere(_Actor):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("blemish.cluster.crew._Actor", importlib.import_module("only_here").Elsewhere)
    with pytest.raises(OptionError, match="A machine of the cluster cannot load blemish; install the same version"):
        Crew(1, 1)


def test_ray_that_does_not_start_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray raises what is no kind of its own, nor of Python's."""
    import ray

    def late(**options: Any) -> None:
        raise Exception("The current node timed out during startup. This could happen.")

    monkeypatch.setattr(ray, "init", late)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with (
        pytest.raises(OptionError, match="The cluster local cannot be used: The current node timed out"),
        began("local"),
    ):
        pass


def test_a_cluster_without_processors_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "init", lambda **options: None)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": {"memory": 1.0}}])
    with pytest.raises(OptionError, match="The cluster local has no processors to work on"), began("local"):
        pass


@pytest.mark.usefixtures("here")
def test_a_worker_that_ray_ends_for_memory_is_replaced_and_other_errors_of_ray_are_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import ray
    from ray import exceptions

    honest, errors = ray.get, [exceptions.OutOfMemoryError("Task was killed due to the node running low on memory.")]
    said: list[str] = []
    with Crew(1, 1, said.append) as crew:

        def get(ref: Any) -> Any:
            if errors:
                raise errors.pop()
            return honest(ref)

        monkeypatch.setattr(ray, "get", get)
        assert len(crew.ask(Call("process"))) == 1
        assert crew.lost == 1
        assert said == ["Worker 0 of the cluster died and is replaced (1 so far); the work goes on."]
        errors.append(exceptions.OutOfDiskError("Local disk is full"))
        with pytest.raises(DataError, match="Ray could not do the work: Local disk is full"):
            crew.ask(Call("process"))


@pytest.mark.usefixtures("here")
def test_workers_that_wait_for_processors_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class Ended(Exception):
        pass

    def say(sentence: str) -> None:
        said.append(sentence)
        raise Ended

    monkeypatch.setattr("blemish.cluster.crew.PATIENCE", 3.0)
    with Crew(2, 1), pytest.raises(Ended):
        Crew(1, 1, say)
    assert said == ["1 of 1 workers wait for processors that other work on the cluster holds; Ctrl-C ends the waiting."]
