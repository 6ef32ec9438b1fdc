"""The model file under feedback: whole or untouched, one change at a time, and what the commands say of it."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from parts import TINY, good_part, save_image, scratched_part
from shell import RunCli

from blemish.detector import load
from blemish.errors import ModelFileError
from blemish.fitting import fit
from blemish.model.file import seal
from blemish.model.holding import model_to_change


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A model fitted on eight parts."""
    root = tmp_path_factory.mktemp("fitted")
    fit([save_image(root / f"部品{seed}.png", good_part(seed)) for seed in range(8)], **TINY).save(root / "a.blemish")
    return (root / "a.blemish").read_bytes()


@pytest.fixture
def model(fitted: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "線 1.blemish"
    path.write_bytes(fitted)
    return path


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good part with a label that the model does not know."""
    plate = good_part(50)
    plate[60:76, 104:132] = 200
    return save_image(tmp_path_factory.mktemp("new") / "良品.png", plate)


def test_add_log_undo_and_remove(model: Path, new: Path, run_cli: RunCli) -> None:
    assert run_cli("inspect", model, new).code == 1
    added = run_cli("feedback", "add", model, new, "--yes", "--who", "田中 花子")
    assert added.code == 0
    assert "田中 花子: add 1 image(s)" in added.stderr
    assert run_cli("inspect", model, new).code == 0
    assert run_cli("feedback", "remove", model, "部品").sentence.startswith("部品 is none of the 9 images")
    removed = run_cli("feedback", "remove", model, new, "--who", "佐藤", "--json")
    assert json.loads(removed.stdout)["images"] == [str(new)]
    log = run_cli("feedback", "log", model).stdout
    assert "田中 花子: add" in log
    assert "佐藤: remove" in log
    assert "良品.png" in log
    assert [entry["change"] for entry in json.loads(run_cli("feedback", "log", model, "--json").stdout)] == [
        "add",
        "remove",
    ]
    undone = run_cli("feedback", "undo", model)
    assert "this change is undone" in undone.stderr
    assert run_cli("inspect", model, new).code == 0
    run_cli("feedback", "undo", model)
    assert run_cli("feedback", "log", model).stdout == ""
    assert "nothing to undo" in run_cli("feedback", "undo", model).sentence
    assert os.listdir(model.parent) == [model.name]


def test_a_copy_is_refused_in_one_sentence(model: Path, tmp_path: Path, run_cli: RunCli, fitted: bytes) -> None:
    copy = save_image(tmp_path / "copies" / "写し.png", good_part(3))
    assert "写し.png shows the same pixels as" in run_cli("feedback", "add", model, copy).sentence
    assert model.read_bytes() == fitted


def test_calibrate_is_logged_and_undone(model: Path, new: Path, run_cli: RunCli, fitted: bytes) -> None:
    assert run_cli("calibrate", model, "--false-rejects", "0.25", "--review", "0.3", "--who", "鈴木").code == 0
    assert run_cli("calibrate", model, "--good", new, "--who", "佐藤").code == 0
    assert run_cli("calibrate", model, "--threshold", "9.5").code == 0
    log = run_cli("feedback", "log", model).stdout
    asked = "asked for 25.0 % false rejects, 95 % confidence, 30.0 % for review"
    assert f"鈴木: calibrate on the scores in the model, {asked}, threshold " in log
    assert f"佐藤: calibrate on 1 image(s), {asked}, threshold " in log
    assert str(new) in log
    assert "calibrate on the scores in the model, threshold 9.5 by hand, 30.0 % for review, threshold " in log
    entry = json.loads(run_cli("feedback", "log", model, "--json").stdout)[1]
    assert (entry["images"], entry["wanted"]["review"], entry["patches"]) == ([str(new)], 0.3, {"added": 0, "taken": 0})
    for _ in range(3):
        assert "this change is undone" in run_cli("feedback", "undo", model).stderr
    assert model.read_bytes() == fitted


def test_calibrate_waits_for_nobody_and_leaves_what_is_read_only(model: Path, run_cli: RunCli, fitted: bytes) -> None:
    with model_to_change(model):
        assert "is being changed by another" in run_cli("calibrate", model, "--threshold", "9").sentence
    model.chmod(0o444)
    assert "is read-only; make it writable" in run_cli("calibrate", model, "--threshold", "9").sentence
    assert model.read_bytes() == fitted
    assert run_cli("calibrate", model, "--threshold", "9", "-o", model.parent / "b.blemish").code == 0


@pytest.mark.parametrize("command", ["add", "remove", "undo"])
def test_a_read_only_model_is_refused_and_stays(
    model: Path, new: Path, run_cli: RunCli, fitted: bytes, command: str
) -> None:
    model.chmod(0o444)
    images = [] if command == "undo" else [new]
    sentence = run_cli("feedback", command, model, *images).sentence
    assert "is read-only; make it writable, or copy it" in sentence
    assert model.read_bytes() == fitted
    assert run_cli("feedback", "log", model).code == 0


def test_permissions_and_links_stay(model: Path, new: Path, run_cli: RunCli, tmp_path: Path) -> None:
    model.chmod(0o640)
    link = tmp_path / "links" / "current.blemish"
    link.parent.mkdir()
    link.symlink_to(model)
    assert run_cli("feedback", "add", link, new, "--yes").code == 0
    assert link.is_symlink()
    assert model.stat().st_mode & 0o777 == 0o640
    assert len(load(model).journal) == 1


def test_what_is_no_model(tmp_path: Path, new: Path, run_cli: RunCli) -> None:
    assert "is no file; blemish fit makes" in run_cli("feedback", "add", tmp_path / "no.blemish", new).sentence
    (tmp_path / "text.blemish").write_text("no model", encoding="utf-8")
    assert "is not a blemish model" in run_cli("feedback", "add", tmp_path / "text.blemish", new).sentence


def test_a_second_process_is_refused_while_the_first_is_at_work(
    model: Path, new: Path, run_cli: RunCli, fitted: bytes
) -> None:
    with model_to_change(model):
        sentence = run_cli("feedback", "add", model, new).sentence
    assert "is being changed by another process; try again" in sentence
    assert model.read_bytes() == fitted
    assert run_cli("feedback", "add", model, new, "--yes").code == 0


def test_a_file_replaced_while_one_waited_is_not_taken_for_the_old_one(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process put its file in place between our opening and locking."""
    import fcntl

    real = fcntl.flock

    def late(file: object, how: int) -> None:
        content = model.read_bytes()
        model.unlink()
        model.write_bytes(content)
        real(file, how)  # type: ignore[arg-type]

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(ModelFileError, match="is being changed by another process"), model_to_change(model):
        pass


KILL_AT = {
    "before the images are read": "blemish.detector.Detector.add",
    "before the file is written": "blemish.model.file.write_whole",
    "while it is written": "os.fsync",
    "before it is renamed": "os.replace",
}


@pytest.mark.parametrize("moment", KILL_AT)
def test_a_crash_leaves_the_old_model(model: Path, new: Path, run_cli: RunCli, fitted: bytes, moment: str) -> None:
    """Killed at once, as by a power cut; afterwards the model is the old one, and can be changed."""
    script = f"""
        import os, signal, sys
        from unittest import mock
        from blemish.cli import main
        kill = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
        sys.argv = ["blemish", "feedback", "add", {str(model)!r}, {str(new)!r}, "--yes"]
        with mock.patch({KILL_AT[moment]!r}, kill):
            main()
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, check=False)
    assert ended.returncode == -9, ended.stderr
    assert model.read_bytes() == fitted
    assert run_cli("feedback", "add", model, new, "--yes").code == 0
    assert os.listdir(model.parent) == [model.name], "what the killed process left is gone"
    assert run_cli("inspect", model, new).code == 0


def test_a_journal_that_lost_something_is_named(model: Path, new: Path, run_cli: RunCli, tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import save_file

    run_cli("feedback", "remove", model, load(model).model.manifest.images[2].path)
    with safe_open(model, framework="numpy") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    lost = {name: tensor for name, tensor in tensors.items() if not name.startswith("journal.0.bank")}
    save_file(lost, tmp_path / "lost.blemish", metadata=metadata)
    with pytest.raises(ModelFileError, match=r"tensor journal\.0\.bank\.cell is missing"):
        load(tmp_path / "lost.blemish")
    save_file({**tensors, "journal.0.colour": tensors["bank.radii"]}, tmp_path / "more.blemish", metadata=metadata)
    with pytest.raises(ModelFileError, match=r"tensor journal\.0\.colour is not in its manifest"):
        load(tmp_path / "more.blemish")
    manifest = json.loads(metadata["blemish"])
    manifest["journal"][0]["added"] = {"colour": 1}
    manifest["journal"][0]["taken"] = {"colour": 1}
    kept = {name: each for name, each in tensors.items() if not name.startswith("journal.0.") or ".images" in name}
    hashes = {name: digest for name, digest in manifest["sha256"].items() if name in kept}
    named = {"blemish": json.dumps(manifest | {"sha256": hashes})}
    save_file(kept, tmp_path / "named.blemish", metadata=named | {"digest": seal(named)})
    with pytest.raises(ModelFileError, match="its journal names a table colour, which it does not have"):
        load(tmp_path / "named.blemish")


def test_add_asks_before_it_learns_what_looks_defective(
    model: Path, tmp_path: Path, run_cli: RunCli, fitted: bytes
) -> None:
    bad = save_image(tmp_path / "bad.png", scratched_part(1).grey)
    twin = save_image(tmp_path / "twin.png", scratched_part(1).grey)
    dry = run_cli("feedback", "add", model, bad, "--defective", twin, "--dry-run")
    assert dry.code == 0
    assert "looks defective: " in dry.stderr
    assert "would be OK: " in dry.stderr
    assert "threshold " in dry.stderr
    assert model.read_bytes() == fitted
    refused = run_cli("feedback", "add", model, bad, "--defective", twin)
    assert refused.code == 2
    assert "1 of the images look defective, and 1 known defective ones would be OK" in refused.stderr
    assert model.read_bytes() == fitted
    assert run_cli("feedback", "add", model, bad, "--yes").code == 0
    assert run_cli("inspect", model, twin).code == 0


def test_add_does_not_ask_about_good_parts(model: Path, tmp_path: Path, run_cli: RunCli) -> None:
    added = run_cli("feedback", "add", model, save_image(tmp_path / "good.png", good_part(90)))
    assert added.code == 0
    assert "looks defective" not in added.stderr
