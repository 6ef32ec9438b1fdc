"""The C# reader says of sized pixels what the export says of them in Python; what is not for it, it refuses."""

from pathlib import Path

import numpy as np
import pytest
from csharp import CsReader, missing
from other_readers import newer
from parts import TINY, good_part, scratched_part, stained_part

from blemish.detector import Detector
from blemish.export.artefact import Artefact
from blemish.export.compare import apart
from blemish.export.exporting import export_bytes
from blemish.fitting import fit

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> CsReader:
    return CsReader(tmp_path_factory.mktemp("csharp"))


@pytest.fixture(scope="module")
def letterboxed(folder: Path) -> Detector:
    return fit(folder / "fit", threads=1, resize="letterbox", **TINY)


def test_it_agrees_on_sized_pixels(letterboxed: Detector, tmp_path: Path, reader: CsReader) -> None:
    path = tmp_path / "part.onnx"
    path.write_bytes(export_bytes(letterboxed.model))
    artefact, images = Artefact.load(path, threads=1), []
    parts = [
        good_part(100),
        scratched_part(102).grey,
        stained_part(103).grey,
        good_part(104, 100, 60),
        good_part(5, 1, 9),
    ]
    words: list[str | Path] = []
    for number, part in enumerate(parts):
        sized, view = artefact.viewer(part, f"{number}")
        file, box = tmp_path / f"{number}.bin", view.placement.content
        file.write_bytes(np.ascontiguousarray(sized).tobytes())
        words += [file, *map(str, (box.x, box.y, box.width, box.height))]
        images.append((part, artefact.score(sized, view), file))
    ended = reader(path, *words)
    assert ended.returncode == 0, ended.stderr
    for (part, scores, file), line in zip(images, ended.stdout.splitlines(), strict=True):
        verdict, score = line.split()
        assert verdict == artefact.inspect(part).verdict.value
        assert float(score) == pytest.approx(scores.image, rel=1e-6)
        assert scores.map_HW is not None
        map_HW = np.frombuffer(file.with_name(f"{file.name}.map").read_bytes(), "<f4").reshape(scores.map_HW.shape)
        assert apart(scores.map_HW, map_HW) <= 1e-6


def test_what_is_not_for_it_is_refused(detector: Detector, folder: Path, tmp_path: Path, reader: CsReader) -> None:
    content = export_bytes(detector.model)
    (tmp_path / "changed.onnx").write_bytes(content[:1000] + b"?" + content[1001:])
    assert "was changed after it was exported" in reader(tmp_path / "changed.onnx").stderr
    (tmp_path / "part.onnx").write_bytes(content)
    assert "by a newer blemish" in reader(newer(tmp_path / "part.onnx", tmp_path)).stderr
    areas = fit(folder / "fit", threads=1, ignore=["100,5,30x30"], **TINY)
    (tmp_path / "areas.onnx").write_bytes(export_bytes(areas.model))
    ended = reader(tmp_path / "areas.onnx")
    assert (ended.returncode, "the model ignores areas" in ended.stderr) == (2, True)


def test_padim_judges_pictures_of_the_aspect_of_the_good_ones_alone(
    folder: Path, tmp_path: Path, reader: CsReader
) -> None:
    padim = fit(folder / "fit", threads=1, size=TINY["size"], method="padim", resize="letterbox")
    path, file = tmp_path / "padim.onnx", tmp_path / "sized.bin"
    path.write_bytes(export_bytes(padim.model))
    artefact = Artefact.load(path, threads=1)
    sized, view = artefact.viewer(good_part(100), "good")
    file.write_bytes(np.ascontiguousarray(sized).tobytes())
    box = view.placement.content
    ended = reader(path, file, *map(str, (box.x, box.y, box.width, box.height)))
    assert ended.returncode == 0, ended.stderr
    assert float(ended.stdout.split()[1]) == pytest.approx(artefact.inspect(good_part(100)).score, rel=1e-6)
    ended = reader(path, file, *map(str, (box.y, box.x, box.height, box.width)))
    assert (ended.returncode, "another aspect" in ended.stderr) == (2, True)
