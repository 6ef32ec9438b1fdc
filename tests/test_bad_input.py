"""What bad input gets: one clear sentence, exit code 2, no traceback, and nothing half-written."""

import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parts import good_part, save_image
from PIL import Image
from shell import RunCli

FIT = ("--size", "64", "--coreset", "20", "--folds", "2")


def truncated(path: Path) -> None:
    save_image(path, good_part(1))
    path.write_bytes(path.read_bytes()[:2000])


def enormous(path: Path) -> None:
    """A few bytes of PNG that claim 100,000 x 100,000 pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + bytes(4))


def with_nan(path: Path) -> None:
    pixels = good_part(1).astype(np.float32)
    pixels[3, 4] = np.nan
    Image.fromarray(pixels).save(path)


def sixteen_bits(path: Path) -> None:
    Image.fromarray(good_part(1).astype(np.uint16) * 200).save(path)


BAD_IMAGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "text": ("bad.png", lambda path: path.write_text("no image"), "is not an image in a format that can be read"),
    "empty": ("bad.png", lambda path: path.write_bytes(b""), "is an empty file"),
    "truncated": ("bad.png", truncated, "cannot be decoded"),
    "enormous": ("bad.png", enormous, "pixels"),
    "NaN": ("bad.tif", with_nan, "NaN|float32"),
    "16 bits": ("bad.png", sixteen_bits, "uint16"),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_a_bad_image_stops_a_fit_and_is_named(kind: str, tmp_path: Path, run_cli: RunCli) -> None:
    name, make, reason = BAD_IMAGES[kind]
    for seed in range(3):
        save_image(tmp_path / "good" / f"{seed}.png", good_part(seed))
    make(tmp_path / "good" / name)
    sentence = run_cli("fit", tmp_path / "good", "-o", tmp_path / "a.blemish", *FIT).sentence
    assert name in sentence
    assert any(part in sentence for part in reason.split("|")), sentence
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good"]


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_a_bad_image_is_an_error_in_a_batch_and_the_rest_goes_on(
    kind: str, tmp_path: Path, folder: Path, model: Path, run_cli: RunCli
) -> None:
    name, make, reason = BAD_IMAGES[kind]
    make(tmp_path / name)
    good, overlays = folder / "line" / "good1.png", tmp_path / "overlays"
    outcome = run_cli("inspect", model, good, tmp_path / name, good.with_name("good2.png"), "--overlays", overlays)
    assert outcome.code == 2
    verdicts = [line.split()[0] for line in outcome.stdout.splitlines()]
    assert verdicts == ["OK", "ERROR", "OK"]
    assert any(part in outcome.stdout for part in reason.split("|")), outcome.stdout
    assert outcome.stderr.splitlines()[0] == "2 OK, 1 ERROR"
    assert len(list(overlays.rglob("*.png"))) == 2


def test_unknown_suffixes_and_folders_without_images(tmp_path: Path, model: Path, run_cli: RunCli) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    for command in (("inspect", model), ("fit", "-o", tmp_path / "a.blemish")):
        assert "notes.txt does not end like an image" in run_cli(*command, tmp_path / "notes.txt").sentence
        assert "holds no images" in run_cli(*command, tmp_path).sentence
        assert "does not exist" in run_cli(*command, tmp_path / "absent").sentence
        assert "No image matches" in run_cli(*command, tmp_path / "*.png").sentence
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_one_image_is_not_enough_to_fit(folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    sentence = run_cli("fit", folder / "fit" / "0.png", "-o", tmp_path / "a.blemish", *FIT).sentence
    assert "at least 2 good images" in sentence
    assert not list(tmp_path.iterdir())


def test_one_image_several_times_is_not_enough_to_fit(tmp_path: Path, run_cli: RunCli) -> None:
    for name in ("a.png", "b.png", "c.png"):
        save_image(tmp_path / "good" / name, good_part(1))
    sentence = run_cli("fit", tmp_path / "good", "-o", tmp_path / "a.blemish", *FIT).sentence
    assert "The 3 good images are identical to the last pixel" in sentence
    assert not (tmp_path / "a.blemish").exists()


def test_a_damaged_or_foreign_model(tmp_path: Path, folder: Path, model: Path, run_cli: RunCli) -> None:
    images = folder / "line"
    damaged = bytearray(model.read_bytes())
    damaged[-1] ^= 1
    for content, reason in (
        (bytes(damaged), "sha256 of tensor"),
        (model.read_bytes()[:-10], "damaged"),
        (b"", "damaged"),
        ((images / "good1.png").read_bytes(), "is not a blemish model"),
    ):
        (tmp_path / "a.blemish").write_bytes(content)
        for command in (("inspect", tmp_path / "a.blemish", images), ("info", tmp_path / "a.blemish")):
            sentence = run_cli(*command).sentence
            assert "a.blemish" in sentence
            assert reason in sentence
    assert "blemish fit makes model files" in run_cli("inspect", tmp_path / "absent.blemish", images).sentence
    assert "is not a file" in run_cli("info", tmp_path).sentence


def test_a_bad_model_or_provider_leaves_the_old_table(
    tmp_path: Path, folder: Path, model: Path, run_cli: RunCli
) -> None:
    table = tmp_path / "old.csv"
    table.write_text("yesterday's results")
    bad_calls = ((tmp_path / "absent.blemish",), (model, "--provider", "cuda"))
    for model_file, *options in bad_calls:
        assert run_cli("inspect", model_file, folder / "line", "--csv", table, *options).sentence
    assert table.read_text() == "yesterday's results"


def test_missing_and_wrong_output_places(folder: Path, model: Path, tmp_path: Path, run_cli: RunCli) -> None:
    absent = tmp_path / "absent"
    assert "absent for a.blemish does not exist" in run_cli("fit", folder / "fit", "-o", absent / "a.blemish").sentence
    assert "is a folder; name a file in it" in run_cli("fit", folder / "fit", "-o", tmp_path).sentence
    for option in ("--csv", "--jsonl"):
        assert "create its folder" in run_cli("inspect", model, folder / "line", option, absent / "a").sentence
    (tmp_path / "file").write_text("")
    for option in ("--overlays", "--masks"):
        assert "cannot be made" in run_cli("inspect", model, folder / "line", option, tmp_path / "file" / "x").sentence
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a folder that nobody can write to")
def test_a_folder_that_cannot_be_written(folder: Path, run_cli: RunCli) -> None:
    outcome = run_cli("fit", folder / "fit", "-o", "/proc/a.blemish", "--suspects", "keep", *FIT)
    assert outcome.code == 2
    assert "/proc" in outcome.stderr.splitlines()[-1]
    assert "Traceback" not in outcome.stderr


def test_a_full_disk_keeps_the_old_model(
    folder: Path, tmp_path: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.blemish"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    outcome = run_cli("fit", folder / "fit", "-o", path, "--force", *FIT)
    assert outcome.code == 2
    said = f"blemish: {path} could not be written: No space left on device; nothing was changed."
    assert outcome.stderr.splitlines()[-1] == said
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_a_table_or_the_output(folder: Path, model: Path, run_cli: RunCli) -> None:
    for option in ("--csv", "--jsonl"):
        sentence = run_cli("inspect", model, folder / "line", option, "/dev/full").sentence
        assert sentence.startswith("/dev/full cannot be written: No space left on device")
    start = "from blemish.cli import main; main()"
    command = [sys.executable, "-c", start, "inspect", str(model), str(folder / "line")]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (2, "blemish: The output: No space left on device.\n")


def test_a_missing_backbone_or_tap(folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    fit = ("fit", folder / "fit", "-o", tmp_path / "a.blemish")
    assert "blemish backbone export resnet18" in run_cli(*fit, "--backbone", "resnet18").sentence
    assert "has no manifest" in run_cli(*fit, "--backbone", tmp_path / "net.onnx").sentence
    assert "no tap 9; it offers" in run_cli(*fit, "--taps", "9").sentence
    assert '"cuda" is not available here' in run_cli(*fit, "--provider", "cuda", *FIT).sentence


def test_an_option_that_cannot_work(folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    fit = ("fit", folder / "fit", "-o", tmp_path / "a.blemish")
    for option, value in (("--size", "banana"), ("--coreset", "200%"), ("--confidence", "1"), ("--preset", "best")):
        assert run_cli(*fit, option, value).sentence.startswith(f"Option {option[2:]}='{value}' cannot be used")


def test_a_csv_that_names_no_good_training_image(tmp_path: Path, run_cli: RunCli) -> None:
    save_image(tmp_path / "a.png", good_part(1))
    (tmp_path / "a.csv").write_text("path,label\na.png,good\n")
    sentence = run_cli("fit", tmp_path / "a.csv", "-o", tmp_path / "a.blemish").sentence
    assert "names no good image of split train" in sentence
    assert "absent.csv" in run_cli("fit", tmp_path / "absent.csv", "-o", tmp_path / "a.blemish").sentence


def test_data_that_cannot_be_evaluated(tmp_path: Path, model: Path, run_cli: RunCli) -> None:
    assert "is not a data set that can be read" in run_cli("evaluate", model, tmp_path).sentence
    assert "does not exist" in run_cli("evaluate", model, tmp_path / "absent").sentence


SLOWLY = """
import pathlib, time
from blemish.cli import main
from blemish.features.patches import Extractor
fast = Extractor.__call__
def slow(extractor, sized):
    pathlib.Path("started").touch()
    time.sleep(0.3)
    return fast(extractor, sized)
Extractor.__call__ = slow
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is sent otherwise on Windows")
@pytest.mark.parametrize("command", ["fit", "inspect"])
def test_ctrl_c_ends_with_a_sentence_and_leaves_no_stray_file(
    command: str, folder: Path, tmp_path: Path, model: Path
) -> None:
    images = str(folder / "fit")
    arguments = {"fit": ["fit", images, "-o", "a.blemish", *FIT], "inspect": ["inspect", str(model), images]}[command]
    running = subprocess.Popen(
        [sys.executable, "-c", SLOWLY, *arguments],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "started").exists():
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, printed = running.communicate(timeout=60)
    assert (running.returncode, printed) == (2, "blemish: Stopped; what was already written is whole.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["started"]
