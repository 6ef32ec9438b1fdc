"""Whole calls that another process does, which here is a thread of this one, without Ray."""

import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from crews import LocalCrew, assert_equal, cluster_of
from parts import good_part, save_good_parts, save_image, stained_part
from shell import RunCli

import blemish
from blemish.cluster.conducting import MOST, Conducting, Heard, Stopped
from blemish.cluster.conductor import ATTEMPTS, Conductor, _client
from blemish.cluster.connecting import connect
from blemish.cluster.worker import Worker
from blemish.errors import DataError, OptionError
from blemish.system.conducts import Once, silently

OPTIONS: dict[str, Any] = {"size": 32, "coreset": 60, "seed": 1}
ADDRESS = "ray://127.0.0.1:10001"


class Near(Conductor):
    """A conductor whose process is a thread of this one."""

    def __init__(self, checkpoint: str | None = None, say: Callable[[str], None] = silently) -> None:
        super().__init__(ADDRESS, say=say)
        self.crew: Any = LocalCrew(2)
        self.there = Conducting()
        held: Any = nullcontext(cluster_of(self.crew, checkpoint))
        held.clear_checkpoint = held.enter_result.clear_checkpoint
        self.there._cluster = held

    def __enter__(self) -> "Near":
        self._stack.callback(self._dismiss)
        self._hire()
        return self

    def _hire(self) -> None:
        self._actor = self.there

    def _send(self, method: str, *arguments: Any) -> Any:
        work = threading.Thread(target=getattr(self.there, method), args=arguments)
        work.start()
        return work

    def _ask(self, method: str, *arguments: Any) -> Any:
        return getattr(self.there, method)(*arguments)

    def _dismiss(self) -> None:
        if self._running:
            self.there.stop()
            self._running.join()


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> Near:
    """The conductor that commands reach."""
    found = Near()
    monkeypatch.setattr("blemish.cluster.connecting.connect", lambda address, **how: found)
    return found


@pytest.fixture
def good(tmp_path: Path) -> Path:
    folder = save_good_parts(tmp_path / "good", 12, 40, 48)
    (folder / "notes.txt").write_text("no image")
    return folder


def counting(count: int, *, cluster: Any, progress: Callable[[str, int, int], None], say: Any) -> Iterator[int]:
    for number in range(count):
        progress("count", number + 1, count)
        yield number
    say("counted")


def failing(error: BaseException, *, cluster: Any, progress: Any) -> None:
    raise error


def test_a_fit_elsewhere_is_that_of_one_process(good: Path, tmp_path: Path) -> None:
    steps: list[str] = []
    alone = blemish.fit(good, progress=False, **OPTIONS)
    with Near() as cluster:
        found = blemish.fit(good, cluster=cluster, progress=lambda step, done, total: steps.append(step), **OPTIONS)
    assert_equal(alone, found)
    assert "patches" in steps


def test_what_is_said_elsewhere_is_told_to_the_call_or_to_the_connection() -> None:
    """Of a fit on ray://, deaths of workers were told to nobody."""
    connection: list[str] = []
    call: list[str] = []
    with Near(say=connection.append) as cluster:
        assert list(cluster.conduct(partial(counting, 2))) == [0, 1]
        assert (connection, call) == (["counted"], [])
        assert list(cluster.conduct(partial(counting, 2), say=call.append)) == [0, 1]
    assert (connection, call) == (["counted"], ["counted"])


def test_an_evaluation_elsewhere_has_the_figures_of_one_process(good: Path, tmp_path: Path) -> None:
    save_image(tmp_path / "bad" / "1.png", stained_part(3).grey)
    fitted = blemish.fit(good, progress=False, **OPTIONS)
    folders: dict[str, Any] = {"good": good, "defective": tmp_path / "bad", "progress": False}
    here = blemish.evaluate(fitted, **folders)
    with Near() as cluster:
        there = blemish.evaluate(fitted, cluster=cluster, **folders)
        assert fitted.known([good / "003.png"], cluster=cluster) == fitted.known([good / "003.png"])
    assert (there.predictions, there.notes, there.auroc) == (here.predictions, here.notes, here.auroc)


def test_arrays_are_refused_before_they_travel() -> None:
    with Near() as cluster, pytest.raises(OptionError, match="takes images as files that all machines can read"):
        blemish.fit([good_part(1)], cluster=cluster)


def test_commands_elsewhere_print_and_write_what_they_do_here(
    good: Path, tmp_path: Path, run_cli: RunCli, near: Near
) -> None:
    model, there = tmp_path / "here.blemish", tmp_path / "there.blemish"
    asked = ("--size", "32", "--coreset", "60", "--seed", "1")
    here = run_cli("fit", good, "-o", model, *asked)
    outcome = run_cli("fit", good, "-o", there, *asked, "--cluster", ADDRESS)
    assert outcome.code == 0, outcome
    lines = here.stderr.splitlines(keepends=True)
    timed = [line for line in lines if line.startswith("An image takes about ")]  # where the images lie, not elsewhere
    assert len(timed) == 1
    assert outcome.stderr.replace("there", "here") == "".join(line for line in lines if line not in timed)
    assert "1 left out" in outcome.stderr
    assert_equal(blemish.load(model), blemish.load(there))
    rows = run_cli("inspect", model, good, "--csv", tmp_path / "a.csv")
    outcome = run_cli("inspect", model, good, "--csv", tmp_path / "b.csv", "--cluster", ADDRESS)
    assert (outcome.code, outcome.stdout, outcome.stderr) == (rows.code, rows.stdout, rows.stderr)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    sets = ("--good", good, "--defective", good)
    table = run_cli("evaluate", model, *sets)
    outcome = run_cli("evaluate", model, *sets, "--cluster", ADDRESS)
    assert (outcome.code, outcome.stdout) == (table.code, table.stdout)
    (tmp_path / "models").mkdir()
    outcome = run_cli("fit", "--each", good, "-o", tmp_path / "models", *asked[:4], "--cluster", ADDRESS)
    assert (outcome.code, "12 good images" in outcome.stdout) == (0, True), outcome


def test_a_path_that_is_only_here_is_told_with_the_machine_that_lacks_it(
    tmp_path: Path, run_cli: RunCli, near: Near, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.node", lambda: "node-7")
    missing = tmp_path / "missing"
    said = f"The machine node-7 of the cluster says: {missing} does not exist; check the path."
    asked = ("fit", missing, "-o", tmp_path / "a.blemish", "--cluster", ADDRESS)
    assert run_cli(*asked).sentence == said
    assert "クラスターの機器 node-7" in run_cli("--lang", "ja", *asked).stderr
    with Near() as cluster, pytest.raises(DataError, match=r"node-7 of the cluster says: .* does not exist"):
        blemish.fit(missing, cluster=cluster)


def test_a_reproduction_elsewhere_reads_and_writes_there(tmp_path: Path, run_cli: RunCli, near: Near) -> None:
    asked = ("reproduce", "shots", "--data", tmp_path / "no", "-o", tmp_path / "out", "--cluster", ADDRESS)
    assert run_cli(*asked).sentence.startswith("The machine ")


def test_a_plan_elsewhere_is_refused(good: Path, tmp_path: Path, run_cli: RunCli) -> None:
    asked = ("fit", good, "-o", tmp_path / "a.blemish", "--plan", "--cluster", ADDRESS)
    assert "it measures the machine that it is typed on" in run_cli(*asked).sentence


@pytest.mark.ray
@pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed (extra ray)")
def test_a_checkpoint_is_kept_until_the_model_is_written_here(good: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with Near(str(state)) as cluster:
        blemish.fit(good, cluster=cluster, progress=False, **OPTIONS)
        assert list(state.iterdir())
        cluster.clear_checkpoint()
    assert list(state.iterdir()) == []


def test_answers_come_in_order_and_wait_for_whoever_takes_them() -> None:
    steps: list[tuple[str, int, int]] = []
    said: list[str] = []
    count = 3 * MOST
    with Near() as cluster:
        answers = cluster.conduct(partial(counting, count), progress=lambda *step: steps.append(step), say=said.append)
        assert next(answers) == 0
        waiting = cluster.there._now
        assert len(waiting.answers) <= MOST
        assert list(answers) == list(range(1, count))
    assert said == ["counted"]
    assert steps[-1] == ("count", count, count)
    assert len(steps) <= 8, "no step is told more than once a question"


def test_an_error_keeps_its_class_and_a_bug_says_where_it_was_raised() -> None:
    with Near() as cluster:
        with pytest.raises(FileNotFoundError) as lost:
            list(cluster.conduct(Once(partial(failing, FileNotFoundError(2, "gone", "x.png")))))
        assert (lost.value.filename, "of the cluster:" in lost.value.__notes__[0]) == ("x.png", True)
        with pytest.raises(RuntimeError, match=r"Unsendable: <unlocked"):
            list(cluster.conduct(Once(raise_unsendable)))


class Unsendable(Exception):
    pass


def raise_unsendable(*, cluster: Any, progress: Any) -> None:
    raise Unsendable(threading.Lock())


def endless(*, cluster: Any, progress: Callable[[str, int, int], None], say: Any) -> Iterator[int]:
    yield 0
    while True:
        progress("wait", 0, 1)
        time.sleep(0.01)


def test_a_call_that_is_given_up_ends_at_its_next_report() -> None:
    with Near() as cluster:
        answers = cluster.conduct(endless)
        assert next(answers) == 0
    ended: Heard = cluster.there.heard(0)
    assert ended.ended
    assert isinstance(pickle.loads(ended.error or b""), Stopped)


def test_another_version_is_named_with_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.node", lambda: "node-7")
    with pytest.raises(OptionError, match=r"The machine node-7 of the cluster has blemish .*, and the one that runs"):
        Conducting().begin(Worker().versions() | {"blemish": "0.0.1"}, "/")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Ray and its client were there, and something answered at the address."""
    monkeypatch.setattr("blemish.cluster.conductor.check_installed", lambda: None)
    monkeypatch.setattr("blemish.cluster.conductor.find_spec", lambda name: name)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("ray://banana", "The cluster ray://banana has no such form; give local, auto, HOST:PORT, or ray://HOST:PORT"),
        ("ray://127.0.0.1:1", r"Nothing answers at the cluster ray://127.0.0.1:1 \(.+\); start Ray there"),
    ],
)
def test_an_address_that_cannot_be_is_refused_at_once(address: str, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence), connect(address):
        pass


@pytest.mark.usefixtures("installed")
def test_a_missing_client_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blemish.cluster.conductor.find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r'needs the package grpcio.*pip install "ray\[client\]"'), connect(ADDRESS):
        pass


class Ray(ModuleType):
    """Ray's client, which fails as it is told."""

    def __init__(self, errors: Sequence[Exception]) -> None:
        super().__init__("ray")
        self.errors, self.attempts, self.connected = list(errors), 0, False

    def is_initialized(self) -> bool:
        return self.connected

    def init(self, **how: Any) -> None:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        self.connected = True

    def shutdown(self) -> None:
        self.connected = False

    def remote(self, **how: Any) -> Callable[[type], Any]:
        """A cluster without blemish: what is sent cannot be loaded."""

        def lost(*arguments: Any) -> None:
            raise ModuleNotFoundError("No module named 'blemish'")

        return lambda kind: SimpleNamespace(remote=lost)


LOST = ConnectionAbortedError(
    "Initialization failure from server:\nTraceback (most recent call last):\n"
    "RuntimeError: Starting Ray client server failed."
)


@pytest.mark.usefixtures("installed")
def test_a_connection_that_the_server_loses_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's server of clients loses one in some when it starts its process."""
    monkeypatch.setattr("blemish.cluster.conductor.check_answers", lambda address, at: None)
    fake = Ray([LOST, LOST])
    monkeypatch.setitem(sys.modules, "ray", fake)
    with _client(ADDRESS):
        assert (fake.attempts, fake.connected) == (3, True)
    assert not fake.connected
    fake.errors = [LOST] * ATTEMPTS
    said = "cannot be used: RuntimeError: Starting Ray client server failed; look whether"
    with pytest.raises(OptionError, match=said), _client(ADDRESS):
        pass


@pytest.mark.usefixtures("installed")
def test_a_cluster_without_blemish_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blemish.cluster.conductor.check_answers", lambda address, at: None)
    fake = Ray([])
    monkeypatch.setitem(sys.modules, "ray", fake)
    with pytest.raises(OptionError, match="A machine of the cluster cannot load blemish"), connect(ADDRESS):
        pass
    assert not fake.connected


@pytest.mark.usefixtures("installed")
def test_a_client_of_another_version_is_told_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blemish.cluster.conductor.check_answers", lambda address, at: None)
    differ = "Version mismatch:\n    Ray: 2.1.0\n    Python: 3.9.1\nhere:\n    Ray: 2.60.0\n    Python: 3.11.2\n"
    monkeypatch.setitem(sys.modules, "ray", Ray([RuntimeError(differ)]))
    said = f"The cluster {ADDRESS} runs Ray 2.1.0 on Python 3.9.1, and this process Ray 2.60.0 on Python 3.11.2"
    with pytest.raises(OptionError, match=said), _client(ADDRESS):
        pass


def test_what_is_not_connected_says_so() -> None:
    with pytest.raises(OptionError, match="This cluster is not connected"):
        list(Conductor(ADDRESS).conduct(endless))
