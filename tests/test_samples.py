"""Finding images and reading data sets, on miniature trees in the published layouts."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from blemish.arrays import Array
from blemish.data.samples import Sample, read_pair, read_samples
from blemish.errors import DataError
from blemish.images.files import list_images
from blemish.images.mask import read_mask
from blemish.system.address import Place


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def names(paths: Sequence[Place]) -> list[str]:
    return [path.name for path in paths]


@pytest.fixture
def category(tmp_path: Path) -> Path:
    """A category exactly as MVTec AD is published: ground_truth holds no folder for good."""
    root = tmp_path / "bottle"
    touch(
        *(root / "train/good" / f"{i:03}.png" for i in range(3)), *(root / "test/good" / f"{i:03}.png" for i in (0, 1))
    )
    for defect in ("broken_large", "contamination"):
        touch(*(root / "test" / defect / f"{i:03}.png" for i in range(2)))
        touch(*(root / "ground_truth" / defect / f"{i:03}_mask.png" for i in range(2)))
    touch(root / "license.txt", root / "readme.txt")
    return root


def test_mvtec_layout(category: Path) -> None:
    samples = read_samples(category)
    assert [(s.split, s.defect) for s in samples] == (
        [("train", "good")] * 3
        + [("test", "broken_large")] * 2
        + [("test", "contamination")] * 2
        + [("test", "good")] * 2
    )
    path = category / "test/broken_large/001.png"
    mask = category / "ground_truth/broken_large/001_mask.png"
    assert samples[4] == Sample(path, 1, "broken_large", mask, str(path), "test")
    assert samples[-1].label == 0
    assert samples[-1].mask is None


def test_mvtec_without_any_masks(category: Path, tmp_path: Path) -> None:
    (category / "ground_truth").rename(tmp_path / "elsewhere")
    assert {sample.mask for sample in read_samples(category)} == {None}


def test_mvtec_mask_without_image(category: Path) -> None:
    touch(category / "ground_truth/contamination/007_mask.png")
    with pytest.raises(DataError, match=r"007_mask\.png is without an image of that name"):
        read_samples(category)


def test_mvtec_defect_without_mask(category: Path) -> None:
    (category / "ground_truth/contamination/001_mask.png").unlink()
    with pytest.raises(DataError, match=r"contamination.001\.png is defective but without mask"):
        read_samples(category)


def test_hidden_files_that_systems_and_notebooks_leave_are_nothing(category: Path) -> None:
    before = read_samples(category)
    for folder in ("train/good", "test/good", "test/contamination", "ground_truth/contamination"):
        touch(*(category / folder / name for name in ("._000.png", ".DS_Store", ".ipynb_checkpoints/000.png")))
    touch(category / "test/.ipynb_checkpoints/000.png")
    assert read_samples(category) == before


def test_a_folder_in_no_known_layout_says_what_it_holds(category: Path) -> None:
    with pytest.raises(DataError, match=r"found bottle/.*train/good and test/TYPE.*good/ and defective/.*CSV"):
        read_samples(category.parent)
    with pytest.raises(DataError, match="it does not exist"):
        read_samples(category / "absent")


def test_pair_of_folders(tmp_path: Path) -> None:
    touch(tmp_path / "good/a.jpg", tmp_path / "good/line 3/b.PNG", tmp_path / "ng/c.jpg", tmp_path / "ng/傷/d.jpg")
    samples = read_pair(tmp_path / "good", tmp_path / "ng")
    assert {(s.path.name, s.label, s.defect) for s in samples} == {
        ("a.jpg", 0, "good"),
        ("b.PNG", 0, "good"),
        ("c.jpg", 1, "ng"),
        ("d.jpg", 1, "傷"),
    }
    assert {(s.split, s.mask) for s in samples} == {("test", None)}


@pytest.mark.parametrize("mask", ["scratch/a.png", "scratch/a_mask.png"])
def test_pair_with_masks(mask: str, tmp_path: Path) -> None:
    touch(tmp_path / "good/a.jpg", tmp_path / "defective/scratch/a.jpg", tmp_path / "masks" / mask)
    assert read_samples(tmp_path)[-1].mask == tmp_path / "masks" / mask


def test_pair_with_masks_that_could_be_of_two_images(tmp_path: Path) -> None:
    touch(tmp_path / "good/a.jpg", tmp_path / "defective/a.jpg", tmp_path / "defective/a.png", tmp_path / "masks/a.png")
    with pytest.raises(DataError, match=r"a\.jpg, .*a\.png are alike but for the suffix"):
        read_samples(tmp_path)


def test_pair_with_the_defective_folder_inside_the_good_one(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "bad/b.png")
    with pytest.raises(DataError, match=r"b\.png is in both"):
        read_pair(tmp_path, tmp_path / "bad")


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    touch(*(tmp_path / "images" / f"{name}.png" for name in "abcd"), tmp_path / "masks/b.png")

    def write(*lines: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "list.csv"
        path.write_text("\n".join(lines) + "\n", encoding=encoding)
        return path

    return write


def test_csv_with_every_column(table: Callable[..., Path], tmp_path: Path) -> None:
    rows = ["path,label,split,mask,group", "images/a.png,0,train,,7", "images/b.png,scratch,test,masks/b.png,8"]
    a, b = tmp_path / "images/a.png", tmp_path / "images/b.png"
    assert read_samples(table(*rows)) == [
        Sample(a, 0, "good", None, "7", "train"),
        Sample(b, 1, "scratch", tmp_path / "masks/b.png", "8", "test"),
    ]


def test_csv_with_only_paths(table: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "images/a.png"
    assert read_samples(table("path", "images/a.png")) == [Sample(path, 0, "good", None, str(path), "test")]


def test_csv_where_a_mask_stands_for_the_label(table: Callable[..., Path]) -> None:
    samples = read_samples(table("mask,path", ",images/a.png", "masks/b.png,images/b.png"))
    assert [(s.label, s.defect) for s in samples] == [(0, "good"), (1, "defective")]


@pytest.mark.parametrize(
    ("label", "defect"), [("0", "good"), ("Good", "good"), ("OK", "good"), ("False", "good"), ("1", "defective")]
)
def test_csv_labels(label: str, defect: str, table: Callable[..., Path]) -> None:
    assert read_samples(table("path,label", f"images/a.png,{label}"))[0].defect == defect


def test_csv_from_a_windows_spreadsheet(table: Callable[..., Path], tmp_path: Path) -> None:
    rows = ["Path,Label,Mask\r", "images\\b.png,傷,masks\\b.png\r"]
    (sample,) = read_samples(table(*rows, encoding="utf-8-sig"))
    assert (sample.path, sample.defect) == (tmp_path / "images/b.png", "傷")
    assert sample.mask == tmp_path / "masks/b.png"


def test_csv_naming_absent_files_lists_the_first_and_counts_them(table: Callable[..., Path]) -> None:
    rows = [f"images/{i}.png" for i in range(9)]
    with pytest.raises(DataError, match=r"0\.png, .*1\.png, .*2\.png and 6 more \(9 in all\) are named in .*list\.csv"):
        read_samples(table("path", *rows, "images/a.png"))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["file,label", "images/a.png,0"], "has the columns file, label; wanted is a first line with path"),
        (["path;label", "images/a.png;0"], "separated by commas"),
        (["path"], "lists no images"),
        (["path,split", "images/a.png,val"], 'line 2: split "val" is neither train nor test'),
        (["path,label", "images/a.png,0", "images/b.png,"], "line 3: the label of images/b.png is empty"),
        (["path,label", "images/a.png,0,x"], "line 2: no path or more cells"),
        (["path,label", ",0"], "line 2: no path"),
        (["path", "images/a.png", "images/a.png"], r"a\.png is named more than once"),
        (["path", "images/a.png", "images/../images/a.png"], r"a\.png is named more than once"),
        (["path,mask", "images/b.png,masks/x.png"], r"x\.png is named in .* but absent"),
        (["path,label,mask", "images/a.png,1,", "images/b.png,1,masks/b.png"], r"a\.png is defective but without mask"),
    ],
)
def test_csv_mistakes_are_named(rows: list[str], words: str, table: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=words):
        read_samples(table(*rows))


def test_csv_in_another_encoding(table: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="not a CSV in UTF-8"):
        read_samples(table("path,label", "images/a.png,傷", encoding="shift_jis"))


def test_a_folder_gives_its_images_as_people_count(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("img10.png", "img2.PNG", "notes.txt", "._img2.png", "sub/img3.png", "é.tiff")))
    assert names(list_images(tmp_path)) == ["img2.PNG", "img10.png", "é.tiff"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("**/*.png", ["a.png", "b.PNG", "c.png"]),
        ("**", ["a.png", "b.PNG", "c.png", "d.jpg"]),
        ("*.png", ["a.png"]),
        ("ライン 3/*", ["b.PNG", "d.jpg"]),
        ("ライン 3/**/*.png", ["b.PNG", "c.png"]),
        ("*/[bx].?ng", ["b.PNG"]),
    ],
)
def test_patterns(pattern: str, found: list[str], tmp_path: Path) -> None:
    line = tmp_path / "ライン 3"
    touch(
        tmp_path / "a.png", line / "b.PNG", line / "deep/c.png", line / "d.jpg", line / "e.txt", tmp_path / ".x/f.png"
    )
    assert sorted(names(list_images(tmp_path / pattern))) == found


def test_brackets_in_names_that_exist_are_letters(tmp_path: Path) -> None:
    touch(tmp_path / "lot [7]/part[1].png", tmp_path / "lot [7]/part1.png")
    assert names(list_images(tmp_path / "lot [7]/part[1].png")) == ["part[1].png"]
    assert names(list_images(str(tmp_path / "lot [7]/*.png"))) == ["part1.png", "part[1].png"]
    assert names(list_images(tmp_path / "lot [7]")) == ["part1.png", "part[1].png"]


def test_patterns_relative_to_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "x/a.png")
    monkeypatch.chdir(tmp_path)
    assert list_images(["x/*.png", "*/a.png", Path("x")]) == [Path("x/a.png")]


def test_a_link_back_up_does_not_loop(tmp_path: Path) -> None:
    touch(tmp_path / "a.png")
    try:
        (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    except OSError:
        pytest.skip("this system lets no ordinary user make links")
    assert names(list_images(tmp_path / "**/*.png")) == ["a.png"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("notes.txt", r"notes\.txt does not end like an image; known are \.bmp"),
        ("absent.png", "absent.png does not exist"),
        ("*.jpg", r"No image matches .*\*\.jpg"),
        ("texts", r"texts holds no images \(found deeper/, notes\.txt\)"),
        ("empty", "it is empty"),
    ],
)
def test_nothing_to_find_is_an_error(source: str, words: str, tmp_path: Path) -> None:
    touch(tmp_path / "notes.txt", tmp_path / "texts/notes.txt", tmp_path / "texts/deeper/a.png", tmp_path / "b.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=words):
        list_images(tmp_path / source)


def test_no_sources() -> None:
    with pytest.raises(DataError, match="No images were named"):
        list_images([])


@pytest.mark.parametrize(
    "pixels",
    [
        np.array([[0, 1, 255]], np.uint8),
        np.array([[0, 1, 65535]], np.uint16),
        np.array([[False, True, True]]),
        np.array([[[0, 0, 0], [0, 0, 1], [255, 0, 0]]], np.uint8),
    ],
    ids=["8-bit", "16-bit", "1-bit", "colour"],
)
def test_any_pixel_above_zero_is_mask(pixels: Array, tmp_path: Path) -> None:
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    assert read_mask(tmp_path / "mask.png").tolist() == [[False, True, True]]


def test_palette_and_alpha_masks(tmp_path: Path) -> None:
    palette = Image.fromarray(np.array([[1, 0]], np.uint8))
    palette.putpalette([255, 255, 255, 0, 0, 0])
    palette.save(tmp_path / "palette.png")
    # Index 0 is white here: it is the colour that counts.
    assert read_mask(tmp_path / "palette.png").tolist() == [[False, True]]
    Image.fromarray(np.array([[[0, 255], [9, 255]]], np.uint8)).save(tmp_path / "alpha.png")
    assert read_mask(tmp_path / "alpha.png").tolist() == [[False, True]]


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ((255, 255, 255, 255), (255, 255, 255, 0)),
        ((0, 0, 0, 255), (0, 0, 0, 0)),
        ((0, 0, 0, 200), (255, 255, 255, 0)),
        ((9, 0, 0, 1), (0, 0, 0, 0)),
    ],
    ids=["white", "black", "black in white", "red"],
)
def test_a_mask_may_be_drawn_in_the_opacity(
    inside: tuple[int, ...], outside: tuple[int, ...], ending: str, tmp_path: Path
) -> None:
    """As GIMP, Photoshop and labelling tools save them; the whole image counted as marked, or nothing."""
    marked_HW = np.zeros((6, 9), np.bool_)
    marked_HW[1:3, 2:7] = True
    pixels = np.where(marked_HW[:, :, None], np.array(inside), np.array(outside)).astype(np.uint8)
    path = tmp_path / f"mask.{ending}"
    exif = Image.Exif()
    exif[0x112] = 6
    whole: dict[str, Any] = {"lossless": True, "exact": True} if ending == "webp" else {}
    Image.fromarray(pixels).save(path, **whole)
    np.testing.assert_array_equal(read_mask(path), marked_HW)
    Image.fromarray(pixels).save(path, exif=exif, **whole)
    np.testing.assert_array_equal(read_mask(path), np.rot90(marked_HW, -1))


def test_what_is_transparent_is_not_marked(tmp_path: Path) -> None:
    """Black and white may be told beside transparent pixels; opacities that say nothing do not count."""
    rows = [[[255, 255, 255, 0], [0, 0, 0, 255], [255, 255, 255, 255]]]
    Image.fromarray(np.array(rows, np.uint8)).save(tmp_path / "three.png")
    assert read_mask(tmp_path / "three.png").tolist() == [[False, False, True]]
    for opacity in (0, 7):
        Image.fromarray(np.array([[[0, opacity], [5, opacity]]], np.uint8)).save(tmp_path / "even.png")
        assert read_mask(tmp_path / "even.png").tolist() == [[False, True]]


def test_jpeg_masks_are_refused(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "mask.jpg")
    with pytest.raises(DataError, match=r"mask\.jpg is a JPEG.*PNG"):
        read_mask(tmp_path / "mask.jpg")
