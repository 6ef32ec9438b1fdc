"""What all commands share: help, version, and how much they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from shell import RunCli

from blemish.cli.main import app
from blemish.options.settings import fields
from blemish.options.takes import Panel, choices

FIT = ("--size", "64", "--coreset", "20", "--folds", "2")


def test_help_and_version_need_no_command(run_cli: RunCli) -> None:
    assert re.fullmatch(r"blemish \d+\.\d+\.\d+\S*\n", run_cli("--version").stdout)
    assert run_cli("-h").stdout == run_cli("--help").stdout
    assert "--install-completion" in run_cli("-h").stdout


def test_every_command_takes_h_and_the_shared_options(run_cli: RunCli) -> None:
    names = [(str(command.name),) for command in app.registered_commands]
    for words in [*names, ("feedback", "add"), ("backbone", "list")]:
        printed = run_cli(*words, "-h").stdout
        for option in ("--quiet", "--verbose", "--log-file", "-h, --help"):
            assert option in printed, words


def test_help_of_fit_is_grouped_and_shows_choices(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    printed = run_cli("fit", "-h").stdout
    places = [printed.index(f"\n{panel}:\n") for panel in Panel]
    assert places == sorted(places)
    assert "<str>" not in printed
    for name, field in fields().items():
        if name == "accept_damaged":  # a flag, as in every command that reads images
            assert "--accept-damaged  " in printed
        elif named := choices(field):
            assert f"--{name.replace('_', '-')} <{'|'.join(named)}>" in printed
    first = printed[places[0] : places[1]]
    for option in ("--output", "--config", "--method", "--preset"):
        assert option in first
    assert 120 < max(map(len, printed.splitlines())) <= 140
    monkeypatch.setenv("COLUMNS", "70")
    assert max(map(len, run_cli("fit", "-h").stdout.splitlines())) < 90


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["fit", "-h"], ["inspect", "-h"]])
def test_help_loads_no_arithmetic(words: list[str]) -> None:
    code = (
        "import sys; from blemish.cli import main\n"
        f"sys.argv = {['blemish', *words]}\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('loaded:', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split("loaded:")[1].split())
    assert not {"numpy", "onnxruntime", "onnx", "cv2", "PIL"} & loaded


def test_quiet_leaves_results_and_errors(model: Path, folder: Path, run_cli: RunCli) -> None:
    usual = run_cli("inspect", model, folder / "line")
    for words in (["inspect", model, folder / "line", "--quiet"], ["--quiet", "inspect", model, folder / "line"]):
        quiet = run_cli(*words)
        assert (quiet.code, quiet.stdout, quiet.stderr) == (1, usual.stdout, "")
    assert "does not exist" in run_cli("inspect", folder / "none.blemish", folder / "line", "--quiet").sentence


def test_verbose_and_log_file_tell_steps_with_their_time(
    model: Path, folder: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    file = tmp_path / "記録.log"
    outcome = run_cli("fit", folder / "fit", "-o", tmp_path / "a.blemish", *FIT, "--verbose", "--log-file", file)
    assert outcome.code == 0
    lines = file.read_text(encoding="utf-8").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", line) for line in lines)
    said = [line.split(" ", 1)[1] for line in lines]
    assert said[0].startswith("begins: blemish fit ")
    assert re.fullmatch(r"ends after \d+\.\d s, exit code 0", said[-1])
    assert "coreset: done" in said
    assert any("8 good images" in line for line in said)
    assert "coreset: done" in outcome.stderr

    assert run_cli("inspect", folder / "none.blemish", folder / "line", "--log-file", file).code == 2
    added = file.read_text(encoding="utf-8").splitlines()[len(lines) :]
    assert any("error: " in line and "does not exist" in line for line in added), "a log is added to"


def test_a_log_file_that_cannot_be_written(model: Path, tmp_path: Path, run_cli: RunCli) -> None:
    sentence = run_cli("info", model, "--log-file", tmp_path / "none" / "a.log").sentence
    assert "a.log" in sentence
    assert "does not exist" in sentence


def test_quiet_and_verbose_contradict_each_other(model: Path, run_cli: RunCli) -> None:
    assert "contradict" in run_cli("info", model, "--quiet", "--verbose").sentence


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--size", "0"), "Option size='0' cannot be used: give auto, native, a number from 32 to 8192"),
        (("--size", "banana"), "height x width in that range (320x256)."),
        (
            ("--tiles", "0"),
            "tiles='0' cannot be used: give auto, or a number of pixels from 64 to 8192, or none.",
        ),
        (("--resize", "tile"), "give auto, letterbox, stretch or crop."),
        (("--coreset", "200%"), "give a share above 0 and up to 1 (0.01, 1%), or a whole number of rows (5000)."),
        (("--folds", "one"), "give a whole number of at least 2, or none."),
        (("--removable", "perhaps"), "give yes or no."),
    ],
)
def test_what_is_allowed_is_said(
    words: tuple[str, ...], sentence: str, folder: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    outcome = run_cli("fit", folder / "fit", "-o", tmp_path / "a.blemish", *words)
    assert sentence in outcome.sentence


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("inspect", "m", "i", "--threads", "0"),
            "--threads='0' cannot be used: give a whole number of at least 1.",
        ),
        (
            ("inspect", "m", "i", "--threads=x"),
            "--threads='x' cannot be used: give a whole number of at least 1.",
        ),
        (("calibrate", "m", "--confidence", "high"), "Option --confidence='high' cannot be used: give a number."),
    ],
)
def test_numbers_of_other_commands_too(words: tuple[str, ...], sentence: str, run_cli: RunCli) -> None:
    assert sentence in run_cli(*words).sentence
