"""The file of an export: sealed, described, inspected by, and refused in one sentence where it is of no use."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from parts import good_part, save_image
from shell import RunCli

from blemish.detector import Detector
from blemish.export import compare
from blemish.export.exporting import export_bytes
from blemish.export.seal import SEAL, sealed, unbroken


@pytest.fixture(scope="module")
def content(detector: Detector) -> bytes:
    return export_bytes(detector.model)


@pytest.fixture
def export(content: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "part.onnx"
    path.write_bytes(content)
    return path


def test_the_last_bytes_are_the_hash_of_all_before_them(content: bytes) -> None:
    end = len(SEAL) + 64
    assert content[-64:].decode() == hashlib.sha256(content[:-end]).hexdigest()
    assert {entry.key for entry in onnx.load_from_string(content).metadata_props} == {"blemish", "blemish.sha256"}


def test_a_seal_is_broken_by_any_change() -> None:
    whole = sealed(b"content")
    assert unbroken(whole) is True
    assert unbroken(b"Content" + whole[7:]) is False
    assert unbroken(b"content") is None


def test_an_export_is_the_same_bytes_each_time(detector: Detector, content: bytes) -> None:
    assert export_bytes(detector.model) == content


def test_the_command_writes_the_file_and_its_document(model: Path, tmp_path: Path, run_cli: RunCli) -> None:
    path = tmp_path / "part.onnx"
    ended = run_cli("export", model, "-o", path)
    assert ended.code == 0, ended
    beside = json.loads((tmp_path / "part.onnx.json").read_text())
    assert beside.pop("onnx") == {"file": "part.onnx", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert beside == json.loads(metadata["blemish"])
    assert "Apache" in beside["notice"]
    assert run_cli("export", model, "-o", path).code == 0, "an export may be written over"


def test_inspecting_by_an_export_says_what_the_model_says(
    model: Path, export: Path, folder: Path, run_cli: RunCli
) -> None:
    ours, theirs = (run_cli("inspect", each, folder / "line", "--json") for each in (model, export))
    assert (ours.code, theirs.code) == (1, 1)
    for one, other in zip(json.loads(ours.stdout), json.loads(theirs.stdout), strict=True):
        assert one["score"] == pytest.approx(other["score"], rel=1e-5)
        assert [one[name] for name in ("path", "verdict", "model", "percentile")] == [
            other[name] for name in ("path", "verdict", "model", "percentile")
        ]


def test_a_check_that_fails_says_that_the_files_are_there(
    model: Path, folder: Path, tmp_path: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "MOST", -1.0)
    path = tmp_path / "part.onnx"
    ended = run_cli("export", model, "-o", path, "--check", folder / "line")
    assert ended.code == 1
    assert f"{path}: it was written, but does not say what the model says" in ended.stderr
    assert path.is_file()


def test_a_batch_goes_on_after_an_image_that_is_none(
    export: Path, folder: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    ended = run_cli(
        "inspect", export, tmp_path / "broken.png", folder / "line" / "good1.png", "--overlays", tmp_path / "o"
    )
    assert ended.code == 2
    assert ended.stdout.startswith("ERROR")
    assert "good1.png" in ended.stdout


def _changed(content: bytes) -> bytes:
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def _of_newer_operators(content: bytes) -> bytes:
    graph = onnx.load_from_string(content[: -len(SEAL) - 64])
    graph.opset_import[0].version = 999
    return sealed(graph.SerializeToString())


def _of_newer_format(content: bytes) -> bytes:
    graph = onnx.load_from_string(content[: -len(SEAL) - 64])
    document = json.loads(graph.metadata_props[0].value)
    graph.metadata_props[0].value = json.dumps(document | {"format": 99})
    return sealed(graph.SerializeToString())


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_changed, "was changed after it was exported"),
        (lambda content: content[:-1], "is no export of blemish, or it was changed"),
        (_of_newer_operators, "install a newer onnxruntime"),
        (_of_newer_format, "was made by a newer blemish"),
    ],
)
def test_what_is_no_whole_export_is_refused(
    content: bytes, folder: Path, tmp_path: Path, run_cli: RunCli, damage: object, sentence: str
) -> None:
    assert callable(damage)
    path = tmp_path / "part.onnx"
    path.write_bytes(damage(content))
    assert sentence in run_cli("inspect", path, folder / "line").sentence


def test_what_takes_the_model_is_refused(export: Path, folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    sentence = run_cli("inspect", export, folder / "line", "--reasons", tmp_path / "r").sentence
    assert "use the model it was made from" in sentence


@pytest.mark.parametrize("words", [("info",), ("calibrate", "--defective", "line"), ("export", "-o", "again.onnx")])
def test_an_export_in_the_place_of_its_model_is_called_one(
    export: Path, folder: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(folder)
    assert "is an export, which can inspect and nothing else" in run_cli(words[0], export, *words[1:]).sentence


def test_images_of_another_kind_are_an_error(export: Path, tmp_path: Path, run_cli: RunCli) -> None:
    save_image(tmp_path / "wide.png", good_part(0).astype(np.uint16) * 257)
    ended = run_cli("inspect", export, tmp_path / "wide.png")
    assert ended.code == 2
    assert "fitted on uint8 images" in ended.stdout


def test_bad_outputs_are_refused_before_any_work(model: Path, folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"somebody's network")
    assert "is not an export" in run_cli("export", model, "-o", tmp_path / "mine.onnx").sentence
    assert "named .onnx" in run_cli("export", model, "-o", tmp_path / "part.bin").sentence
    assert "does not exist" in run_cli("export", model, "-o", tmp_path / "none" / "part.onnx").sentence
    assert (
        "is not a blemish model" in run_cli("export", folder / "line" / "good1.png", "-o", tmp_path / "x.onnx").sentence
    )
    assert not (tmp_path / "x.onnx").exists()
