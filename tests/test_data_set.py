"""What the doctor says of a data set before anyone fits on it."""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from parts import save_image
from shell import RunCli
from test_duplicates import shot, surface

from blemish.data.samples import read_samples
from blemish.diagnosis.data_set import Examination, examine_data
from blemish.errors import DataError


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """Twelve good parts in a folder, with nothing to mend."""
    for seed in range(12):
        save_image(tmp_path / "good" / f"{seed}.png", shot(seed))
    return tmp_path / "good"


def names(found: Examination) -> list[str]:
    return [finding.name for finding in found.findings]


def only(found: Examination) -> tuple[str, bool, list[list[str]]]:
    """The one finding: its name, whether it must be mended, and the names of its files."""
    (finding,) = found.findings
    return finding.name, finding.mend, [[Path(file).name for file in files] for files in finding.files]


def test_good_parts_need_nothing(good: Path) -> None:
    found = examine_data(good)
    assert found.findings == []
    assert (found.images, found.good_to_fit, found.parts, found.sizes) == (12, 12, 12, {"200x160": 12})


def test_an_unreadable_image_is_named(good: Path) -> None:
    (good / "cut.png").write_bytes((good / "0.png").read_bytes()[:500])
    found = examine_data(good)
    name, mend, files = only(found)
    assert (name, mend, len(files)) == ("unreadable", True, 1)
    assert "cut.png" in found.findings[0].sentence
    assert (found.images, len(found.samples)) == (13, 12)


def test_nothing_but_unreadable_images(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    found = examine_data(tmp_path)
    assert names(found) == ["too few", "unreadable"]
    assert found.must_mend


def test_what_is_not_read_of_a_folder_is_counted(good: Path, run_cli: RunCli) -> None:
    """Masks beside their images and sub-folders were passed over in silence, by the doctor alone."""
    (good / "sub").mkdir()
    for seed in range(12):
        image = cv2.imread(str(good / f"{seed}.png"), cv2.IMREAD_UNCHANGED)
        assert image is not None
        save_image(good / f"{seed}_mask.png", np.zeros_like(image))
    found = examine_data(good)
    assert (only(found), found.images) == (("left out", False, []), 12)
    told = "13 left out: masks beside their images (12); sub-folders, which recursive reads (1)."
    assert found.findings[0].sentence == told
    assert told in " ".join(run_cli("doctor", good).stdout.split())


def test_a_file_that_is_no_image_is_not_passed_over_in_silence(good: Path) -> None:
    (good / "Thumbs.db").write_bytes(b"")
    assert only(examine_data(good)) == ("left out", False, [["Thumbs.db"]])


def test_a_mask_among_the_images(good: Path) -> None:
    save_image(good / "black.png", (surface(0) > 150).astype(np.uint8) * 255)
    found = examine_data(good)
    assert ("masks", True) in [(finding.name, finding.mend) for finding in found.findings]


def test_pixel_types_that_fit_refuses(good: Path) -> None:
    save_image(good / "wide.png", shot(50).astype(np.uint16) * 257)
    assert only(examine_data(good)) == ("pixel types", True, [["wide.png"]])


def test_colour_among_grey(good: Path) -> None:
    grey = shot(60)
    save_image(good / "grey-as-rgb.png", np.stack([grey] * 3, axis=2))
    assert examine_data(good).findings == []
    save_image(good / "red.png", np.stack([shot(61), shot(62), shot(63)], axis=2))
    assert only(examine_data(good)) == ("colour and grey", False, [["red.png"]])


def test_sizes_that_differ(good: Path) -> None:
    save_image(good / "half.png", shot(70)[::2, ::2])
    found = examine_data(good)
    assert only(found) == ("sizes", False, [["half.png"]])
    assert "share an aspect" in found.findings[0].sentence
    for seed in range(3):
        save_image(good / f"tall{seed}.png", np.ascontiguousarray(shot(80 + seed).T))
    (finding,) = examine_data(good).findings
    assert "stretch" in finding.sentence


def test_copies_whatever_their_file_format(good: Path) -> None:
    save_image(good / "copy.bmp", shot(3))
    found = examine_data(good)
    assert only(found) == ("copies", False, [["3.png", "copy.bmp"]])
    assert found.parts == 12


def test_one_part_shown_several_times_and_the_csv_of_it(good: Path, tmp_path: Path) -> None:
    for time in (1, 2):
        save_image(good / f"3 again {time}.png", shot(3, time))
    found = examine_data(good)
    assert only(found) == ("same part", False, [["3 again 1.png", "3 again 2.png", "3.png"]])
    assert found.findings[0].sentence.startswith("3 images look like one part shown several times")
    assert (found.good_to_fit, found.parts) == (14, 12)
    found.write_groups(tmp_path / "線 3.csv")
    samples = read_samples(tmp_path / "線 3.csv")
    assert {sample.path.resolve() for sample in samples} == {path.resolve() for path in good.iterdir()}
    assert {sample.path.name for sample in samples if sample.group == "3 again 1"} == set(
        ["3.png", "3 again 1.png", "3 again 2.png"]
    )
    assert len({sample.group for sample in samples}) == 12
    assert {(sample.label, sample.split) for sample in samples} == {(0, "train")}
    assert examine_data(tmp_path / "線 3.csv").findings == [], "what is stated is not found again"


def test_no_cell_of_the_csv_is_a_formula(good: Path, tmp_path: Path) -> None:
    for name in ("=1+1.png", "@sum.png", "-x.png"):
        (good / "3.png").rename(good / name)
        examine_data(good).write_groups(good / "groups.csv")
        text = (good / "groups.csv").read_text("utf-8-sig")
        assert [cell for row in csv.reader(text.splitlines()) for cell in row if cell[:1] in "=+-@" and cell] == []
        assert (good / name).resolve() in {sample.path.resolve() for sample in read_samples(good / "groups.csv")}
        (good / name).rename(good / "3.png")
        (good / "groups.csv").unlink()


def mvtec(root: Path) -> Path:
    for seed in range(12):
        save_image(root / "train" / "good" / f"{seed}.png", shot(seed))
        save_image(root / "test" / "good" / f"{seed}.png", shot(100 + seed))
    for seed in range(3):
        defective = shot(200 + seed)
        cv2.circle(defective, (60, 50), 12, 0, -1)
        save_image(root / "test" / "hole" / f"{seed}.png", defective)
        save_image(root / "ground_truth" / "hole" / f"{seed}_mask.png", (surface(0) > 254).astype(np.uint8))
    return root


def test_a_whole_data_set_without_fault(tmp_path: Path) -> None:
    found = examine_data(mvtec(tmp_path / "part"))
    assert found.findings == []
    assert (found.images, found.good_to_fit) == (27, 12)
    found.write_groups(tmp_path / "part.csv")
    assert [s.mask is not None for s in read_samples(tmp_path / "part.csv") if s.defect == "hole"] == [True] * 3


def leak_picture(root: Path) -> None:
    save_image(root / "test" / "good" / "leak.png", shot(5))


def leak_part(root: Path) -> None:
    save_image(root / "test" / "good" / "leak.png", shot(5, 1))


def two_labels(root: Path) -> None:
    save_image(root / "test" / "good" / "twice.png", shot(100))
    save_image(root / "test" / "hole" / "twice.png", shot(100))
    save_image(root / "ground_truth" / "hole" / "twice.png", surface(0))


@pytest.mark.parametrize(
    ("spoil", "wanted"),
    [
        (leak_picture, {"copies": False, "leaked pictures": True}),
        (leak_part, {"same part": False, "leaked parts": False}),
        (two_labels, {"copies": False, "two labels": True}),
    ],
)
def test_leaks(tmp_path: Path, spoil: Callable[[Path], None], wanted: dict[str, bool]) -> None:
    root = mvtec(tmp_path / "part")
    spoil(root)
    assert {finding.name: finding.mend for finding in examine_data(root).findings} == wanted


def test_a_stated_group_in_both_splits(tmp_path: Path) -> None:
    lines = ["path,split,group"]
    for seed in range(12):
        save_image(tmp_path / f"{seed}.png", shot(seed))
        lines.append(f"{seed}.png,{'train' if seed < 8 else 'test'},{seed % 10}")
    (tmp_path / "parts.csv").write_text("\n".join(lines), encoding="utf-8")
    assert only(examine_data(tmp_path / "parts.csv")) == (
        "leaked groups",
        True,
        [["0.png", "10.png"], ["1.png", "11.png"]],
    )


def test_blur_and_exposure(good: Path) -> None:
    save_image(good / "soft.png", cv2.GaussianBlur(shot(90), (0, 0), 5))
    save_image(good / "dark.png", (shot(91) * 0.3).astype(np.uint8))
    found = {finding.name: [Path(path).name for (path,) in finding.files] for finding in examine_data(good).findings}
    assert found == {"blur": ["soft.png"], "exposure": ["dark.png"]}


@pytest.mark.parametrize("images", [0, 1])
def test_too_few(tmp_path: Path, images: int, run_cli: RunCli) -> None:
    for seed in range(images):
        save_image(tmp_path / f"{seed}.png", shot(seed))
    if not images:
        assert "holds no images" in run_cli("doctor", tmp_path).sentence
    else:
        outcome = run_cli("doctor", tmp_path)
        assert outcome.code == 2
        assert "mend    too few: 1 good part(s)" in outcome.stdout


def test_the_command_for_people_and_for_programs(good: Path, tmp_path: Path, run_cli: RunCli) -> None:
    assert run_cli("doctor", good).stdout.endswith(
        "of about 12 parts\nNothing must be mended, and there is no advice.\n"
    )
    for number in range(5):
        save_image(good / f"copy {number}.png", shot(number))
    people = run_cli("doctor", good, "--groups", tmp_path / "groups.csv")
    assert people.code == 0, "copies are advice"
    assert "advice  copies: 5 images are an exact copy" in people.stdout
    assert "... 2 more (--json lists all)" in people.stdout
    assert len(read_samples(tmp_path / "groups.csv")) == 17
    (good / "cut.png").write_bytes(b"no image")
    program = run_cli("doctor", good, "--json")
    assert program.code == 2
    found: dict[str, Any] = json.loads(program.stdout)
    assert [finding["name"] for finding in found["findings"]] == ["unreadable", "copies"]
    assert len(found["findings"][1]["files"]) == 5


def test_groups_need_a_data_set_and_a_folder(good: Path, run_cli: RunCli) -> None:
    assert "name one: blemish doctor DATA" in run_cli("doctor", "--groups", "groups.csv").sentence
    assert "cannot be written" in run_cli("doctor", good, "--groups", good / "absent" / "groups.csv").sentence


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_is_no_unicode_cannot_be_listed(good: Path, tmp_path: Path) -> None:
    """Linux allows any bytes as a file name."""
    save_image(good / "plain.png", shot(30))
    (good / "plain.png").rename(good / "bad\udcff.png")
    found = examine_data(good)
    with pytest.raises(DataError, match="not Unicode"):
        found.write_groups(tmp_path / "groups.csv")
