"""The page of an export in a real browser: it says what the model says, and asks nobody but the server it came from.

A script in a frame around the page waits until all pictures are judged, and sends what it read back to the server. It
needs Chromium, and in BLEMISH_ORT_WEB the folder dist of the npm package onnxruntime-web.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import CHROMIUM
from other_readers import RUNTIME, page_says
from parts import TINY, good_part, save_image, scratched_part, stained_part, torn_part
from PIL import Image
from shell import RunCli

from blemish.detector import Detector, load
from blemish.errors import DataError
from blemish.export.artefact import Artefact
from blemish.export.exporting import export_bytes
from blemish.export.web import WANTED, check_web, write_web
from blemish.fitting import fit

PROBE = """<!doctype html><iframe></iframe><script>
const frame = document.querySelector("iframe");
frame.src = "index.html" + location.hash;
const wait = setInterval(() => {
  const page = frame.contentDocument;
  if (!page?.documentElement.dataset.ready) return;
  clearInterval(wait);
  const results = [...page.querySelectorAll("[data-result]")].map((each) => JSON.parse(each.dataset.result));
  const asked = frame.contentWindow.performance.getEntriesByType("resource").map((each) => each.name);
  const canvases = page.querySelectorAll("canvas").length, about = page.getElementById("about").textContent;
  fetch("/result", {method: "POST", body: JSON.stringify({results, asked, canvases, about})});
}, 50);
</script>"""

in_browser = pytest.mark.skipif(
    CHROMIUM is None or not RUNTIME,
    reason="needs Chromium, and BLEMISH_ORT_WEB: the folder dist of the npm package onnxruntime-web",
)


def looked_at(folder: Path, names: list[str], profile: Path) -> tuple[dict[str, Any], str]:
    """What the page made of these pictures, and the address it was served from."""
    (folder / "probe.html").write_text(PROBE, encoding="utf-8")
    return page_says(folder, "probe.html", names, profile)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files named as the runtime's, for tests that do not run them."""
    folder = tmp_path_factory.mktemp("dist")
    for name in WANTED:
        (folder / name).write_bytes(b"runtime")
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    save_image(folder / "good.png", good_part(100))
    save_image(folder / "scratch.png", scratched_part(102).grey)
    save_image(folder / "stain.png", stained_part(103).grey)
    save_image(folder / "torn.png", torn_part(0))
    save_image(folder / "tall.png", good_part(104, 180, 60))
    save_image(folder / "colour.png", np.stack([good_part(1), good_part(2), good_part(3)], axis=2))
    save_image(folder / "large.png", good_part(105, 301, 451))
    return folder


@in_browser
def test_the_page_says_what_the_model_says(
    detector: Detector, model: Path, pictures: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    folder = tmp_path / "page"
    ended = run_cli("export", model, "--to", "web", "-o", folder, "--runtime", RUNTIME)
    assert ended.code == 0, ended
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 40e6
    shutil.copytree(pictures, folder, dirs_exist_ok=True)
    (folder / "none.png").write_bytes(b"no picture")
    names = [*sorted(path.name for path in pictures.iterdir()), "none.png"]
    seen, own = looked_at(folder, names, tmp_path / "profile")
    assert [each["name"] for each in seen["results"]] == names
    assert all(address.startswith((own, "blob:")) for address in seen["asked"])
    assert seen["canvases"] == len(names) - 1
    assert seen["results"][-1]["verdict"] == "ERROR"
    assert seen["results"][names.index("torn.png")]["verdict"] == "REVIEW"
    for each in seen["results"][:-1]:
        ours = detector.inspect(folder / each["name"])
        assert each["verdict"] == str(ours.verdict), each
        assert each["score"] == pytest.approx(ours.score, rel=1e-5), each
        assert ours.anomaly_map is not None
        assert each["peak"] == pytest.approx(float(ours.anomaly_map.max()), rel=1e-5)
        assert each["regions"] == len(ours.regions)
        if ours.regions:
            box = ours.regions[0].box
            assert each["box"] == [box.x, box.y, box.width, box.height], (each, ours.regions, ours)


@in_browser
def test_the_page_unpacks_weights_in_fewer_bits(detector: Detector, pictures: Path, tmp_path: Path) -> None:
    """As ONNX Runtime's library does; what fewer bits cost is measured where they are exported."""
    folder = tmp_path / "page"
    content = export_bytes(detector.model, precision="int8")
    write_web(folder, Path(RUNTIME), content)
    artefact = Artefact.load(folder / "model.onnx", threads=1)
    shutil.copytree(pictures, folder, dirs_exist_ok=True)
    seen, _ = looked_at(folder, ["good.png", "scratch.png"], tmp_path / "profile")
    assert len(seen["results"]) == 2
    for each in seen["results"]:
        assert each["score"] == pytest.approx(artefact.inspect(folder / each["name"]).score, rel=1e-5), each


@in_browser
def test_the_page_refuses_a_model_that_was_changed(model: Path, tmp_path: Path, run_cli: RunCli) -> None:
    folder = tmp_path / "page"
    assert run_cli("export", model, "--to", "web", "-o", folder, "--runtime", RUNTIME).code == 0
    content = bytearray((folder / "model.onnx").read_bytes())
    content[1000] ^= 1
    (folder / "model.onnx").write_bytes(content)
    seen, _ = looked_at(folder, [], tmp_path / "profile")
    assert "was changed after it was exported" in seen["about"]


@in_browser
def test_the_page_judges_by_what_is_sealed(model: Path, pictures: Path, tmp_path: Path, run_cli: RunCli) -> None:
    """By the document inside the file: the thresholds in the JSON beside it are anybody's to change."""
    folder = tmp_path / "page"
    assert run_cli("export", model, "--to", "web", "-o", folder, "--runtime", RUNTIME).code == 0
    beside = json.loads((folder / "model.onnx.json").read_text(encoding="utf-8"))
    beside["thresholds"] |= {"threshold": 1e9, "review_threshold": 1e9}
    (folder / "model.onnx.json").write_text(json.dumps(beside), encoding="utf-8")
    shutil.copytree(pictures, folder, dirs_exist_ok=True)
    seen, _ = looked_at(folder, ["scratch.png"], tmp_path / "profile")
    assert [each["verdict"] for each in seen["results"]] == ["NG"]


@in_browser
def test_the_page_refuses_pictures_of_another_kind(model: Path, tmp_path: Path, run_cli: RunCli) -> None:
    """The browser would cut 16 bits to 8, take the first of several frames, and forget colours that are transparent."""
    folder = tmp_path / "page"
    assert run_cli("export", model, "--to", "web", "-o", folder, "--runtime", RUNTIME).code == 0
    save_image(folder / "wide.png", good_part(0).astype(np.uint16) * 257)
    clear = Image.fromarray(good_part(0)).convert("RGBA")
    clear.putpixel((3, 4), (9, 9, 9, 0))
    clear.save(folder / "clear.png")
    save_image(folder / "large.png", np.zeros((2, 40000), np.uint8))
    frames = [Image.fromarray(good_part(seed)) for seed in (0, 1)]
    for name in ("moving.png", "moving.webp", "other.gif"):
        frames[0].save(folder / name, save_all=True, append_images=frames[1:])
    refused = {
        "wide.png": "has 16 bits",
        "clear.png": "is transparent in places",
        "large.png": "40000 x 2",
        "moving.png": "several frames",
        "moving.webp": "several frames",
        "other.gif": "no picture in JPEG",
    }
    frames[0].convert("RGB").save(folder / "one.webp", lossless=True)
    frames[0].save(folder / "one.bmp")
    frames[0].save(folder / "one.jpg")
    names = [*refused, "one.webp", "one.bmp", "one.jpg"]
    seen, _ = looked_at(folder, names, tmp_path / "profile")
    for each, words in zip(seen["results"], refused.values(), strict=False):
        assert words in each["error"]
    assert "ERROR" not in [each["verdict"] for each in seen["results"][len(refused) :]]


HASHES = """<!doctype html><script type="module">
import { ownSha256 } from "./file.js";
const hashes = LENGTHS.map((length) => ownSha256(new Uint8Array(length).map((_, i) => (7 * i) % 251)));
fetch("/result", {method: "POST", body: JSON.stringify({hashes})});
</script>"""


@in_browser
def test_the_page_computes_the_hash_where_the_browser_does_not(runtime: Path, tmp_path: Path, model: Path) -> None:
    """Over http from another machine there is no crypto.subtle."""
    folder, lengths = tmp_path / "page", [0, 1, 55, 56, 63, 64, 65, 100_000]
    write_web(folder, runtime, export_bytes(load(model).model))
    (folder / "hashes.html").write_text(HASHES.replace("LENGTHS", str(lengths)), encoding="utf-8")
    seen, _ = page_says(folder, "hashes.html", [], tmp_path / "profile")
    contents = [bytes(7 * i % 251 for i in range(length)) for length in lengths]
    assert seen["hashes"] == [hashlib.sha256(content).hexdigest() for content in contents]


def test_the_folder_is_whole_and_bad_ones_are_refused(
    model: Path, runtime: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    folder = tmp_path / "page"
    for _ in range(2):
        assert run_cli("export", model, "--to", "web", "-o", folder, "--runtime", runtime).code == 0
    assert {path.name for path in folder.iterdir()} == {
        "index.html", "page.css", "page.js", "reader.js", "file.js", "model.onnx", "model.onnx.json", "ort",
    }  # fmt: skip
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    words = "export", model, "--to", "web", "--runtime"
    assert "no page of an export" in run_cli(*words, runtime, "-o", tmp_path / "mine").sentence
    assert "npm install onnxruntime-web" in run_cli(*words, tmp_path, "-o", tmp_path / "new").sentence
    assert not (tmp_path / "new").exists()
    mine = tmp_path / "mine" / "model.onnx"
    mine.write_bytes(b"a model of mine")
    assert "no page of an export" in run_cli(*words, runtime, "-o", tmp_path / "mine").sentence
    assert mine.read_bytes() == b"a model of mine"
    mine.write_bytes((folder / "model.onnx").read_bytes())
    assert "no page of an export" in run_cli(*words, runtime, "-o", tmp_path / "mine").sentence, "an export alone"


@pytest.mark.parametrize("options", [{"method": "padim"}, {"ignore": ["100,5,30x30"]}, {"resize": "crop"}])
def test_a_page_that_could_not_judge_is_not_written(
    folder: Path, runtime: Path, tmp_path: Path, run_cli: RunCli, options: dict[str, Any]
) -> None:
    usual = {"size": TINY["size"]} if "method" in options else TINY
    model, page = tmp_path / "part.blemish", tmp_path / "page"
    fit(folder / "fit", threads=1, **usual, **options).save(model)
    ended = run_cli("export", model, "--to", "web", "-o", page, "--runtime", runtime)
    assert ended.code == 2
    assert "A page cannot judge by this model" in ended.sentence
    assert not page.exists()


def test_a_folder_inside_a_file_is_refused(tmp_path: Path) -> None:
    for name in WANTED:
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=f"{WANTED[0]} is a file; name a folder"):
        check_web(tmp_path / WANTED[0] / "page", tmp_path)
