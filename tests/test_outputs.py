"""Nothing is written over an input, over the model, or over a file of another kind, unless --force says so."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from parts import good_part, save_image
from PIL import Image
from shell import RunCli
from typer.main import get_command

from blemish.cli.commands import Command
from blemish.cli.ending import Stopped, stopping_on_signals
from blemish.cli.main import app
from blemish.errors import DataError, ModelFileError
from blemish.model.file import MODEL_FILE
from blemish.model.holding import model_to_change, model_to_write
from blemish.system.address import Place
from blemish.system.outputs import ANY, Outputs, begins

FIT = ("--size", "64", "--coreset", "20", "--folds", "2")
NOTES = begins("a file of notes", "notes:")
START = [sys.executable, "-c", "from blemish.cli import main; main()"]
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals and streams")


@pytest.fixture
def line(folder: Path, tmp_path: Path) -> Path:
    """Images of our own, to be destroyed."""
    for name in ("good1.png", "scratch.png"):
        target = tmp_path / "line" / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((folder / "line" / name).read_bytes())
    return tmp_path / "line"


@pytest.fixture
def own(model: Path, tmp_path: Path) -> Path:
    """A copy of the model, to be destroyed."""
    path = tmp_path / "own.blemish"
    path.write_bytes(model.read_bytes())
    return path


def test_inputs_by_any_name_and_other_kinds_are_refused(tmp_path: Path) -> None:
    read, link, other, kept = (tmp_path / name for name in ("read.txt", "link.txt", "other.txt", "kept.txt"))
    read.write_text("notes: 1")
    link.symlink_to(read)
    other.write_text("a letter")
    kept.write_text("notes: 2")
    outputs = Outputs([tmp_path / "gone", tmp_path / "." / "read.txt"])
    for path in (read, link):
        with pytest.raises(DataError, match=r"is one of the files to read, and writing would destroy it"):
            Outputs([read]).claim(path, NOTES)
    with pytest.raises(DataError, match=r"other\.txt is there and is not a file of notes written by blemish"):
        outputs.claim(other, NOTES)
    outputs.claim(kept, NOTES)
    outputs.claim(tmp_path / "new.txt", NOTES)
    with pytest.raises(DataError, match=r"new\.txt is named for two outputs"):
        outputs.claim(tmp_path / "line" / ".." / "new.txt", ANY)
    forced = Outputs([read], force=True)
    forced.claim(read, NOTES)
    forced.claim(other, NOTES)
    with pytest.raises(DataError, match="two outputs"):
        forced.claim(link, NOTES)


@posix
def test_empty_files_devices_and_pipes_may_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    outputs = Outputs([])
    for path in (tmp_path / "empty", tmp_path / "pipe", Path(os.devnull)):
        outputs.claim(path, NOTES)


def test_a_pattern_for_a_model_does_not_destroy_the_first_picture(tmp_path: Path, run_cli: RunCli) -> None:
    """`blemish fit -o *.png`, as a shell expands it."""
    pictures = [save_image(tmp_path / f"{number}.png", good_part(number)) for number in range(4)]
    before = [path.read_bytes() for path in pictures]
    sentence = run_cli("fit", "-o", *pictures, *FIT).sentence
    assert "0.png is there and is not a model written by blemish" in sentence
    assert "is one of the files to read" in run_cli("fit", *pictures, "-o", pictures[2], *FIT).sentence
    assert [path.read_bytes() for path in pictures] == before
    assert run_cli("fit", *pictures, "-o", pictures[0], "--force", *FIT).code == 0
    assert MODEL_FILE.holds(pictures[0])


def test_a_model_is_written_over_a_model(folder: Path, own: Path, run_cli: RunCli) -> None:
    own.chmod(0o640)
    link = own.with_name("current.blemish")
    link.symlink_to(own)
    before = own.read_bytes()
    assert run_cli("fit", folder / "fit", "-o", link, *FIT).code == 0
    assert link.is_symlink()
    assert own.read_bytes() != before
    assert own.stat().st_mode & 0o777 == 0o640


def test_tables_spare_model_images_and_foreign_files(line: Path, own: Path, tmp_path: Path, run_cli: RunCli) -> None:
    labels, notes = tmp_path / "labels.csv", tmp_path / "notes.txt"
    labels.write_text("path,label\n", encoding="utf-8-sig")
    notes.write_text("do not lose me")
    before = {path: path.read_bytes() for path in (own, labels, notes, line / "good1.png")}
    for option in ("--csv", "--jsonl"):
        for path in before:
            assert run_cli("inspect", own, line, option, path).code == 2
    assert {path: path.read_bytes() for path in before} == before
    both = run_cli("inspect", own, line, "--csv", tmp_path / "a", "--jsonl", tmp_path / "a").sentence
    assert "named for two outputs" in both
    for _ in range(2):  # its own kind is written over
        tables = ("--csv", tmp_path / "a.csv", "--jsonl", tmp_path / "a.jsonl")
        assert run_cli("inspect", own, line, *tables).code == 1
    assert "is not a CSV of results" in run_cli("inspect", own, line, "--csv", tmp_path / "a.jsonl").sentence
    assert run_cli("inspect", own, line, "--csv", notes, "--force").code == 1


def test_pictures_of_three_kinds_share_a_folder(model: Path, line: Path, tmp_path: Path, run_cli: RunCli) -> None:
    out = tmp_path / "out"
    kinds = ("overlay", "reasons", "mask")
    asked = ("--overlays", out, "--reasons", out, "--masks", out / "." / "x" / "..")
    for _ in range(2):
        assert run_cli("inspect", model, line, *asked).code == 1
        names = {f"{name}.{kind}.png" for name in ("good1.png", "scratch.png") for kind in kinds}
        assert {path.name for path in out.iterdir() if path.is_file()} == names
    with Image.open(out / "scratch.png.mask.png") as mask:
        assert (mask.mode, mask.info["blemish"]) == ("L", "mask")


def test_images_of_the_longest_names_have_pictures_too(
    model: Path, folder: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    """Their picture's name would not fit into the 255 bytes of a file's; one such image ended the whole batch."""
    names = ["n" * 251 + ".png", "n" * 250 + "m.png", "é" * 125 + "a.png"]
    content = (folder / "line" / "good1.png").read_bytes()
    for name in names:
        target = tmp_path / "line" / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
    out = tmp_path / "out"
    asked = ("--overlays", out, "--reasons", out, "--masks", out)
    assert run_cli("inspect", model, tmp_path / "line", *asked).code == 0
    made = [path.name for path in out.iterdir()]
    assert len(made) == len(names) * 3
    assert {sum(name.startswith(image[:100]) for name in made) for image in names[1:]} == {6, 3}
    assert run_cli("inspect", model, tmp_path / "line", *asked).code == 0, "the same names, of the same kinds"
    assert len(list(out.iterdir())) == len(made)


def test_pictures_spare_inputs_photographs_and_other_kinds(
    model: Path, line: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    trap = save_image(line / "good1.png.png", good_part(9))
    before = trap.read_bytes()
    assert "is one of the files to read" in run_cli("inspect", model, line, "--masks", line).sentence
    assert (
        "is not a picture of the kind mask" in run_cli("inspect", model, line / "good1.png", "--masks", line).sentence
    )
    assert trap.read_bytes() == before
    trap.unlink()
    sentence = run_cli("inspect", model, line, "--overlays", line).sentence
    assert f"{line} holds images that are read" in sentence
    assert len(list(line.iterdir())) == 2
    assert run_cli("inspect", model, line, "--overlays", tmp_path / "out").code == 1
    sentence = run_cli("inspect", model, line, "--masks", tmp_path / "out").sentence
    assert "good1.png.png is there and is not a picture of the kind mask written by blemish" in sentence
    assert run_cli("inspect", model, line, "--overlays", tmp_path / "out").code == 1
    assert run_cli("inspect", model, line, "--masks", tmp_path / "out", "--force").code == 1
    assert "kind overlay" in run_cli("scan", line, "--overlays", tmp_path / "out", *FIT).sentence


def test_reports_groups_and_calibrated_models(line: Path, own: Path, tmp_path: Path, run_cli: RunCli) -> None:
    (tmp_path / "bad").mkdir()
    (line / "scratch.png").rename(tmp_path / "bad" / "scratch.png")
    pair = ("--good", line, "--defective", tmp_path / "bad")
    for path, kind in ((own, "one of the files to read"), (line / "good1.png", "one of the files to read")):
        assert kind in run_cli("report", own, *pair, "-o", path).sentence
    notes = tmp_path / "notes.txt"
    notes.write_text("do not lose me")
    assert "is not an HTML page" in run_cli("report", own, *pair, "-o", notes).sentence
    assert "is not a CSV of groups" in run_cli("doctor", line, "--groups", notes).sentence
    assert "is not a model" in run_cli("calibrate", own, "--threshold", "9", "-o", notes).sentence
    assert "one of the files to read" in run_cli("calibrate", own, "--threshold", "9", "-o", own).sentence
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "index.html").write_text("<html>my home page")
    assert "index.html is there and is not an HTML page" in run_cli("demo", "-o", tmp_path / "demo").sentence
    (tmp_path / "shots.md").write_text("# Notes")
    reproduced = run_cli("reproduce", "shots", "--data", tmp_path, "-o", tmp_path)
    assert "shots.md is there and is not a table of a reproduction" in reproduced.sentence
    assert notes.read_text() == "do not lose me"
    for _ in range(2):
        assert run_cli("doctor", line, "--groups", tmp_path / "groups.csv").code in (0, 2)


def test_a_method_that_does_not_train_leaves_training_states_alone(
    folder: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    """It deleted the file, be it the interrupted training of another method or somebody's notes."""
    state = tmp_path / "a.blemish.training"
    state.write_text("epochs of another method")
    fit = ("fit", folder / "fit", "-o", tmp_path / "a.blemish", *FIT)
    assert "checkpoint cannot be used with the method patchcore" in run_cli(*fit, "--checkpoint", state).sentence
    assert run_cli(*fit).code == 0
    assert state.read_text() == "epochs of another method"


def test_fit_and_calibrate_are_refused_where_the_model_is_being_changed(
    folder: Path, own: Path, run_cli: RunCli
) -> None:
    before = own.read_bytes()
    with model_to_change(own):
        for command in (("fit", folder / "fit", "-o", own, *FIT), ("calibrate", own, "--threshold", "9")):
            assert "is being changed by another process; try again" in run_cli(*command).sentence
    with model_to_write(own):
        assert "is being changed by another process" in run_cli("feedback", "undo", own).sentence
    own.chmod(0o444)
    assert "is read-only" in run_cli("fit", folder / "fit", "-o", own, *FIT).sentence
    assert own.read_bytes() == before


def test_a_model_that_came_in_the_meantime_is_not_disturbed(tmp_path: Path) -> None:
    """Neither that of a run that has ended is mixed with ours, nor a change under way lost."""
    path = tmp_path / "part.blemish"

    def save(place: Place) -> None:
        place.write_bytes(b"ours")

    with model_to_write(path) as target:
        target.fill(save)
        assert path.read_bytes() == b"ours"
    path.unlink()
    with model_to_write(path) as target:
        path.write_bytes(b"theirs")
        target.fill(save)
    assert path.read_bytes() == b"ours", "the last one wins"
    path.unlink()
    with model_to_write(path) as target:
        path.write_bytes(b"theirs")
        with model_to_change(path), pytest.raises(ModelFileError, match=r"model of this run is in .*part\.\w{8}\.blem"):
            target.fill(save)
    assert path.read_bytes() == b"theirs"
    assert [other.read_bytes() for other in tmp_path.iterdir() if other != path] == [b"ours"]


def test_every_command_sweeps_beside_what_it_names() -> None:
    def leaves(command: object) -> Iterator[object]:
        commands = getattr(command, "commands", None)
        if commands is None:
            yield command
        else:
            for each in commands.values():
                yield from leaves(each)

    assert all(isinstance(command, Command) for command in leaves(get_command(app)))


@pytest.mark.parametrize("named", ["model", "output"])
def test_what_killed_runs_left_is_gone_after_the_next_command(
    own: Path, line: Path, tmp_path: Path, run_cli: RunCli, named: str
) -> None:
    out = tmp_path / "out"
    (out / "deeper").mkdir(parents=True)
    left = own.parent if named == "model" else out / "deeper"
    temporary = left / ".blemish-0123456789abcdef.tmp"
    temporary.write_bytes(b"half a file")
    run_cli("info", own) if named == "model" else run_cli("inspect", own, line, "--overlays", out)
    assert not temporary.exists()


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signals_end_a_command_cleanly(model: Path, tmp_path: Path, name: str) -> None:
    """While a file is written: its temporary file is taken away, and the exit code is no verdict."""
    image = save_image(tmp_path / "in" / "a.png", good_part(1))
    script = f"""
        import os, signal, time
        from unittest import mock
        from blemish.cli import main
        signal.signal(signal.{name}, signal.SIG_DFL)  # nohup, under which tests may run, has it ignored
        def stop(descriptor):
            os.kill(os.getpid(), signal.{name})
            os.kill(os.getpid(), signal.{name})
            time.sleep(60)
        sys_argv = ["blemish", "inspect", {str(model)!r}, {str(image)!r}, "--masks", {str(tmp_path / "out")!r}]
        with mock.patch("sys.argv", sys_argv), mock.patch("os.fsync", stop):
            main()
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"blemish: Stopped by {name}; what was already written is whole.\n"
    assert list((tmp_path / "out").iterdir()) == []


@posix
def test_ignored_signals_stay_ignored_and_handlers_come_back() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping_on_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            with pytest.raises(Stopped, match="SIGTERM"):
                signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@posix
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error_and_take_no_file(model: Path, folder: Path, tmp_path: Path, closed: str) -> None:
    """A table opened as descriptor 1 would hold what is printed."""
    table = tmp_path / "a.jsonl"
    words = [*START, "inspect", str(model), str(folder / "line"), "--jsonl", str(table)]
    done = subprocess.run(["sh", "-c", f'"$@" {closed}', "sh", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.splitlines()[:1] == ([] if "2>" in closed else ["2 OK, 2 NG"])
    assert len([json.loads(row) for row in table.read_text(encoding="utf-8").splitlines()]) == 4
    assert "blemish" not in done.stdout


def test_logs_and_recipes_spare_foreign_files(folder: Path, own: Path, tmp_path: Path, run_cli: RunCli) -> None:
    """A log is added to a log; a picture would be destroyed by it."""
    before = own.read_bytes()
    assert "own.blemish is there and is not a log" in run_cli("info", own, "--log-file", own).sentence
    assert "own.blemish is there and is not a log" in run_cli("--log-file", own, "info", own).sentence
    for _ in range(2):
        assert run_cli("info", own, "--log-file", tmp_path / "blemish.log").code == 0
    fit = ("fit", folder / "fit", "-o", tmp_path / "a.blemish", *FIT)
    assert "is not a recipe" in run_cli(*fit, "--save-config", own).sentence
    for _ in range(2):
        assert run_cli(*fit, "--save-config", tmp_path / "part.toml").code == 0
    assert "two outputs" in run_cli(*fit, "--save-config", tmp_path / "a.blemish").sentence
    assert own.read_bytes() == before
