"""What runs an export in export_agreement.py: ONNX Runtime and OpenVINO, the C++ reader, the page in Chromium."""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from chromium import CHROMIUM
from other_readers import LIBRARY, RUNTIME, CppReader, page_says, read_pfm
from PIL import Image

from blemish.detector import Detector
from blemish.errors import ImageError, OptionError
from blemish.export.artefact import Artefact
from blemish.export.compare import Judged
from blemish.export.exporting import export_bytes
from blemish.export.ir import write_ir
from blemish.export.web import write_web
from blemish.images.read import read_image
from blemish.result import Verdict

Run: TypeAlias = Callable[[Path, Sequence[Path]], list[Judged]]
"""Judges pictures by an export; raises OptionError for a model that it is not for."""

BROWSER = "page in Chromium"
PROBE = """<!doctype html><script type="module">
import { judge, load } from "./reader.js";
const model = await load(document.baseURI).catch((error) => ({ error }));
const results = [];
for (const name of model.error ? [] : location.hash.slice(1).split(",")) {
  const found = await judge(model, await (await fetch(name)).blob());
  await fetch(`/${name}.map`, { method: "POST", body: found.map.buffer });
  results.push({ name, verdict: found.verdict, score: found.score });
}
await fetch("/result", { method: "POST", body: JSON.stringify({ results, error: model.error?.message ?? "" }) });
</script>"""


def runtimes(folder: Path) -> dict[str, Run]:
    """Those that this machine has, by name. The C++ reader is compiled in `folder`."""
    found: dict[str, Run] = {"ONNX Runtime": in_python}
    if find_spec("openvino"):
        found["OpenVINO"] = in_openvino
    if LIBRARY is not None and shutil.which("g++"):
        found["C++ reader"] = partial(in_cpp, CppReader(folder, "-O2"))
    if CHROMIUM and RUNTIME:
        found[BROWSER] = in_browser
    return found


def judged_by_model(detector: Detector, images: Sequence[Path]) -> list[Judged | None]:
    """What the model itself says; None for what it refuses."""

    def judged(path: Path) -> Judged | None:
        try:
            return Judged.of(detector.inspect(path))
        except ImageError:
            return None

    return [judged(path) for path in images]


def write_export_of(detector: Detector, folder: Path) -> Path:
    """The export of a model."""
    path = folder / "part.onnx"
    path.write_bytes(export_bytes(detector.model))
    return path


def in_python(export: Path, images: Sequence[Path]) -> list[Judged]:
    artefact = Artefact.load(export, threads=1)
    return [Judged.of(artefact.inspect(path)) for path in images]


def in_openvino(export: Path, images: Sequence[Path]) -> list[Judged]:
    write_ir(export.with_suffix(".xml"), export.read_bytes())
    return in_python(export.with_suffix(".xml"), images)


def in_cpp(reader: CppReader, export: Path, images: Sequence[Path]) -> list[Judged]:
    """The pictures are decoded here, and handed over as PPM."""
    with tempfile.TemporaryDirectory() as name:
        pictures = [_decoded(path, Path(name, f"{number:05}.ppm")) for number, path in enumerate(images)]
        ended = reader("--maps", name, export, *pictures)
        if ended.returncode:
            raise OptionError(ended.stderr.strip())
        return [_said(line) for line in ended.stdout.splitlines()]


def _said(line: str) -> Judged:
    verdict, score, path = line.split(" ", 2)
    return Judged(float(score), read_pfm(Path(f"{path}.pfm")), Verdict(verdict))


def in_browser(export: Path, images: Sequence[Path]) -> list[Judged]:
    """The pictures are decoded here, and handed over as PNG: the maps come back as files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_web(folder, Path(RUNTIME), export.read_bytes())
        (folder / "probe.html").write_text(PROBE, encoding="utf-8")
        pictures = [_decoded(path, folder / f"{number:05}.png") for number, path in enumerate(images)]
        said, _ = page_says(folder, "probe.html", [each.name for each in pictures], folder / "profile", 1200)
        if said["error"]:
            raise OptionError(said["error"])
        return [_answered(folder, each) for each in said["results"]]


def _answered(folder: Path, said: Mapping[str, Any]) -> Judged:
    picture = folder / said["name"]
    map_P = np.frombuffer(picture.with_name(f"{picture.name}.map").read_bytes(), "<f4")
    width, height = Image.open(picture).size
    return Judged(said["score"], map_P.reshape(height, width), Verdict(said["verdict"]))


def _decoded(path: Path, picture: Path) -> Path:
    """A picture of 8 bits in another form; 16-bit ones lose their low bits, and the readers refuse the model."""
    pixels = np.asarray(read_image(path))
    Image.fromarray(pixels if pixels.dtype == np.uint8 else (pixels / 257).astype(np.uint8)).convert("RGB").save(
        picture
    )
    return picture
