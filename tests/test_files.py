"""Which files are meant: all that look like images, once each, and a word on the others."""

import csv
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from parts import TINY, good_part
from PIL import Image
from shell import RunCli

from blemish.errors import DataError, ImageError, printable
from blemish.fitting import fit
from blemish.images.files import find_images
from blemish.reports.table import CsvFile
from blemish.result import Result, Verdict


def save(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(good_part(seed)).save(path, "JPEG" if path.suffix in {".jpg", ".jfif", ".jpe"} else None)
    return path


def test_what_is_left_out_of_a_folder_is_counted(tmp_path: Path) -> None:
    kept = [save(tmp_path / name) for name in ("1.jfif", "2.jpe", "3.png")]
    save(tmp_path / "sub" / "4.png")
    save(tmp_path / ".ipynb_checkpoints" / "3.png")
    for name in ("a.heic", "b.HEIC", "notes", ".hidden"):
        (tmp_path / name).write_bytes(b"?")
    if os.name != "nt":
        (tmp_path / "5.png").symlink_to(tmp_path / "gone.png")
    found = find_images(tmp_path)
    assert found.images == kept
    assert found.left_out["files that end in .heic"] == 2
    assert found.left_out["files without an ending"] == 1
    assert found.left_out["sub-folders, which recursive reads"] == 1
    if os.name != "nt":
        assert found.left_out["links that lead nowhere"] == 1
        assert str(found).startswith("5 left out: files that end in .heic (2); ")
    assert [path.name for path in find_images(tmp_path, recursive=True).images] == [
        "1.jfif", "2.jpe", "3.png", "4.png",
    ]  # fmt: skip


def test_nothing_is_said_where_nothing_is_left_out(tmp_path: Path) -> None:
    save(tmp_path / "1.png")
    assert str(find_images([tmp_path, tmp_path / "1.png"])) == ""


def test_an_empty_path_is_an_error() -> None:
    with pytest.raises(DataError, match="An empty path was given; name a file"):
        find_images(["", "x"])


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_one_folder_by_several_ways_is_read_once(tmp_path: Path) -> None:
    image = save(tmp_path / "good" / "1.png")
    (tmp_path / "again").symlink_to(tmp_path / "good")
    (tmp_path / "good" / "itself").symlink_to(tmp_path / "good")
    ways = [tmp_path / "good", tmp_path / "again", tmp_path / "good" / ".." / "good", tmp_path / "good" / "itself"]
    assert find_images(ways).images == [image]
    assert find_images(ways, recursive=True).images == [image]


def test_masks_beside_their_images_are_left_out(tmp_path: Path) -> None:
    kept = [save(tmp_path / name) for name in ("1.jpg", "2.jpg", "3.png", "4.jpg", "4.png")]
    black = np.zeros((96, 144), np.uint8)
    marked = black.copy()
    marked[10:20, 10:20] = 255
    for name, mask in (("1.png", black), ("2.png", marked), ("3_mask.png", marked)):
        Image.fromarray(mask).save(tmp_path / name)
    found = find_images(tmp_path)
    assert found.images == kept
    assert found.left_out == {"masks beside their images": 3}


def test_masks_by_themselves_are_images(tmp_path: Path) -> None:
    for name in ("1.png", "1.bmp", "2.png"):
        Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / name)
    assert len(find_images(tmp_path).images) == 3


def test_magnetic_tile_as_unpacked_has_952_good_images() -> None:
    root = os.environ.get("BLEMISH_DATA")
    if not root or not Path(root, "mtd").is_dir():
        pytest.skip("needs BLEMISH_DATA with the Magnetic Tile images")
    found = find_images(Path(root, "mtd", "MT_Free", "Imgs"))
    assert len(found.images) == found.left_out["masks beside their images"] == 952


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux allows such names")
def test_odd_names_lose_no_fit_end_no_batch_and_forge_no_line(tmp_path: Path, run_cli: RunCli) -> None:
    for seed in range(5):
        save(tmp_path / "good" / f"{seed}.png", seed)
    os.rename(tmp_path / "good" / "0.png", os.fsencode(tmp_path / "good") + b"/gr\xfcn.png")
    os.rename(tmp_path / "good" / "1.png", tmp_path / "good" / "a\nNG 9.9 b.png")
    os.rename(tmp_path / "good" / "2.png", tmp_path / "good" / ("x" * 251 + ".png"))
    os.rename(tmp_path / "good" / "3.png", tmp_path / "good" / "\x1b[31mred.png")
    (tmp_path / "good" / "\n.png").write_bytes(b"damaged")
    bad = tmp_path / "good" / "\n.png"
    with pytest.raises(ImageError) as caught:
        fit(tmp_path / "good", **TINY)
    assert "\n" not in str(caught.value)
    bad.unlink()
    model = tmp_path / "m.blemish"
    detector = fit(tmp_path / "good", **TINY)
    detector.save(model)
    bad.write_bytes(b"damaged")
    outcome = run_cli("inspect", model, tmp_path / "good", "--csv", tmp_path / "a.csv")
    assert outcome.code == 2
    assert len(outcome.stdout.splitlines()) == 6
    assert "\x1b" not in outcome.stdout
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == 6


@pytest.mark.parametrize(
    ("text", "shown"), [("a\nb", "a\\nb"), ("\x1b[31m", "\\x1b[31m"), ("gr\udcfcn", "gr\\udcfcn"), ("検査 1", "検査 1")]
)
def test_texts_are_shown_on_one_line(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert str(DataError(text)) == shown


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "＝", "＋", "－", "＠"])  # noqa: RUF001
def test_no_cell_of_a_csv_is_a_formula(start: str, tmp_path: Path) -> None:
    with CsvFile(tmp_path / "a.csv") as table:
        table.add(Result(f"{start}1+1.png", Verdict.ERROR, float("nan"), 2.0, error="damaged"))
    assert f",'{start}" in "," + (tmp_path / "a.csv").read_text("utf-8-sig").splitlines()[1]
