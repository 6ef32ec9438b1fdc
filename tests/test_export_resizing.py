"""Resizing in the graph gives the pixels that Pillow gives, so that scores and maps stay those of the model."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from parts import TINY, good_part, scratched_part, stained_part
from shell import RunCli

from blemish.detector import Detector
from blemish.export.artefact import Artefact
from blemish.export.compare import compare
from blemish.export.exporting import export_bytes
from blemish.fitting import fit

SIDES = [(96, 144), (301, 451), (60, 90), (40, 200), (400, 70), (1, 144), (96, 1)]


@pytest.fixture(scope="module")
def stretching(folder: Path) -> Detector:
    return fit(folder / "fit", threads=1, **TINY | {"size": (96, 144), "resize": "stretch"})


def test_pictures_of_any_size_agree(stretching: Detector, tmp_path: Path) -> None:
    path = tmp_path / "part.onnx"
    path.write_bytes(export_bytes(stretching.model, resizes=True))
    artefact = Artefact.load(path, threads=1)
    assert artefact.document.resizes
    assert artefact.document.cells == []
    drawn = [good_part(300 + seed, *side) for seed, side in enumerate(SIDES)]
    noise = np.random.default_rng(0).integers(0, 256, (310, 150, 3)).astype(np.uint8)
    images = [*drawn, noise, scratched_part(102).grey, stained_part(103).grey]
    found = compare(stretching, artefact, images)
    assert found.images == len(images)
    assert found.good, found
    [given] = [each for each in onnxruntime.InferenceSession(path).get_inputs()]
    assert (given.name, given.shape[2], given.type) == ("image", 3, "tensor(uint8)")


def test_what_is_not_only_stretched_is_refused(model: Path, tmp_path: Path, run_cli: RunCli) -> None:
    ended = run_cli("export", model, "-o", tmp_path / "part.onnx", "--with-resize")
    assert "Fit with resize=stretch" in ended.sentence
    ended = run_cli("export", model, "--to", "web", "-o", tmp_path / "page", "--with-resize")
    assert "it is for onnx" in ended.sentence
