"""How long steps are shown: bars in a terminal, one line in a notebook, now and then a line in a log."""

import io
import os
import sys
import types

import pytest

from blemish.system import progress as module
from blemish.system.progress import ProgressLine, shown, silent


class Clock:
    """A clock that stands still unless it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_a_line_every_few_seconds_with_the_time_that_is_left() -> None:
    log, clock = io.StringIO(), Clock()
    line = ProgressLine(log, 5.0, "{}\n", clock=clock)
    for done in range(101):
        clock.now = 0.2 * done
        line("network", done, 100)
    assert log.getvalue().splitlines() == [
        "network: 25 of 100, about 15 s left",
        "network: 50 of 100, about 10 s left",
        "network: 75 of 100, about 5 s left",
        "network: 100 of 100",
    ]


def test_what_is_left_counts_from_the_step_s_own_beginning() -> None:
    log, clock = io.StringIO(), Clock()
    line = ProgressLine(log, 5.0, "{}\n", clock=clock)
    line("first", 0, 10)
    clock.now = 100.0
    line("second", 0, 10)
    clock.now = 106.0
    line("second", 5, 10)
    assert log.getvalue().splitlines() == ["second: 0 of 10", "second: 5 of 10, about 6 s left"]


def test_a_step_that_begins_anew_counts_anew() -> None:
    log, clock = io.StringIO(), Clock()
    line = ProgressLine(log, 5.0, "{}\n", clock=clock)
    for done in range(1, 101):  # of one look
        clock.now += 1.0
        line("candidates", done, 100)
    for done in (1, 3):  # of the next
        clock.now += 5.0
        line("candidates", done, 100)
    assert log.getvalue().splitlines()[-2:] == ["candidates: 1 of 100", "candidates: 3 of 100, about 242 s left"]


def test_preparation_and_the_first_of_many_say_nothing_of_what_is_left() -> None:
    log, clock = io.StringIO(), Clock()
    line = ProgressLine(log, 5.0, "{}\n", clock=clock)
    for done, now in ((1, 6.0), (2, 12.0), (1000, 18.0)):
        clock.now = now
        line("coreset", done, 3000)
    assert log.getvalue().splitlines() == [
        "coreset: 1 of 3000",
        "coreset: 2 of 3000",
        "coreset: 1000 of 3000, about 24 s left",
    ]


def test_a_short_job_leaves_nothing_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with shown() as report:
        report("step", 1, 1)
    assert capsys.readouterr().err == ""


def test_a_long_job_is_seen_in_a_log(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINE_SECONDS", 0.0)
    with shown() as report:
        report("step", 1, 2)
    assert capsys.readouterr().err == "step: 1 of 2\n"


def test_a_notebook_gets_one_line_that_changes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: kernel))
    monkeypatch.setattr(module, "NOTEBOOK_SECONDS", 0.0)
    with shown() as report:
        report("step", 10, 20)
        report("step", 20, 20)
    first, second, after = capsys.readouterr().err.replace("\n", "\r\n").split("\r")[1:]
    assert (first.rstrip(), second.rstrip(), after) == ("step: 10 of 20", "step: 20 of 20", "\n")
    assert len(first) == len(second)  # or the longer one's end would stay


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_gets_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    controller, terminal = os.openpty()
    with os.fdopen(terminal, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with shown() as report:
            report("network", 3, 8)
        drawn = ""
        while "3/8" not in drawn:
            drawn += os.read(controller, 100_000).decode()
    os.close(controller)
    assert "network" in drawn


def test_callers_choose() -> None:
    seen: list[tuple[str, int, int]] = []

    def note(step: str, done: int, total: int) -> None:
        seen.append((step, done, total))

    with shown(note) as report:
        report("step", 1, 2)
    assert seen == [("step", 1, 2)]
    with shown(False) as report:
        assert report is silent


def test_a_program_without_a_console_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with shown() as report:
        assert report is silent
