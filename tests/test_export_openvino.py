"""An export as OpenVINO's IR says what its model does; what is missing or was changed is refused in one sentence."""

import json
from pathlib import Path
from unittest import mock

import pytest
from parts import good_part, scratched_part, stained_part, torn_part
from shell import RunCli

from blemish.detector import Detector, load
from blemish.errors import ModelFileError
from blemish.export.artefact import Artefact
from blemish.export.compare import compare
from blemish.export.exporting import export_bytes
from blemish.export.ir import write_ir
from blemish.export.operators import PREFIX


@pytest.fixture
def ir(detector: Detector, tmp_path: Path) -> Path:
    pytest.importorskip("openvino", reason="needs the extra openvino")
    path = tmp_path / "part.xml"
    write_ir(path, export_bytes(detector.model))
    return path


def test_it_agrees_with_its_model_on_odd_images(ir: Path, detector: Detector) -> None:
    images = [good_part(100), scratched_part(102).grey, stained_part(103).grey, torn_part(1), good_part(104, 100, 60)]
    found = compare(detector, Artefact.load(ir, threads=1), [*images, good_part(105, 1, 144)])
    assert found.images == 6
    assert found.good, found


def test_its_files_hold_each_thing_once(ir: Path, detector: Detector) -> None:
    """What follows from the bank, or from the band of a matrix, is computed on loading."""
    assert ir.with_suffix(".bin").stat().st_size < len(export_bytes(detector.model))
    text = ir.read_text()
    assert text.count("good_scores") == 1
    assert "ShapeOf" not in text
    assert "\n\t" not in text
    for noise in ("&quot;", "<dim>", "Identity", PREFIX):
        assert noise not in text


def test_the_command_writes_it_and_inspects_by_it(model: Path, folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    pytest.importorskip("openvino", reason="needs the extra openvino")
    path = tmp_path / "part.xml"
    for _ in range(2):
        ended = run_cli("export", model, "--to", "openvino", "-o", path, "--check", folder / "line")
        assert ended.code == 0, ended
    assert "4 images: scores differ by at most" in ended.stderr
    beside = json.loads((tmp_path / "part.xml.json").read_text())
    assert list(beside["openvino"]) == ["file", "sha256", "weights_sha256"]
    ours, theirs = (run_cli("inspect", each, folder / "line") for each in (model, path))
    assert [line.split()[0] for line in ours.stdout.splitlines()] == [
        line.split()[0] for line in theirs.stdout.splitlines()
    ]
    (tmp_path / "other.xml").write_text("<net/>")
    assert "is not an export" in run_cli("export", model, "--to", "openvino", "-o", tmp_path / "other.xml").sentence
    assert "named .xml" in run_cli("export", model, "--to", "openvino", "-o", tmp_path / "part.onnx").sentence


def _changed(path: Path) -> str:
    content = bytearray(path.with_suffix(".bin").read_bytes())
    content[1000] ^= 1
    path.with_suffix(".bin").write_bytes(content)
    return "was changed after it was exported"


def _without_weights(path: Path) -> str:
    path.with_suffix(".bin").unlink()
    return "part.bin cannot be read"


def _without_hashes(path: Path) -> str:
    path.with_name("part.xml.json").write_text("{}")
    return "is not that of an export"


@pytest.mark.parametrize("damage", [_changed, _without_weights, _without_hashes])
def test_what_is_not_whole_is_refused(ir: Path, folder: Path, run_cli: RunCli, damage: object) -> None:
    assert callable(damage)
    sentence = damage(ir)
    assert sentence in run_cli("inspect", ir, folder / "line").sentence


def test_in_the_place_of_its_model_it_is_called_an_export(ir: Path) -> None:
    with pytest.raises(ModelFileError, match="is an export, which can inspect and nothing else"):
        load(ir)


def test_a_missing_package_is_named_with_the_line_that_installs_it(
    model: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    with mock.patch("blemish.export.runtimes.find_spec", return_value=None):
        sentence = run_cli("export", model, "--to", "openvino", "-o", tmp_path / "part.xml").sentence
    assert 'pip install "blemish[openvino]"' in sentence


def test_another_network_is_not_written_over(ir: Path, model: Path, run_cli: RunCli) -> None:
    """Also where the JSON of an export that had its name is still there."""
    ir.write_text('<?xml version="1.0"?><net name="mine"></net>', encoding="utf-8")
    assert "is not an export written by blemish" in run_cli("export", model, "--to", "openvino", "-o", ir).sentence
    ir.unlink()
    assert run_cli("export", model, "--to", "openvino", "-o", ir).code == 0
