"""A promise counts parts: copies and pictures of one part are one, and what the memory has seen calibrates nothing."""

import io
from pathlib import Path

import numpy as np
import pytest
from parts import TINY, good_part, save_image, scratched_part
from PIL import Image

import blemish
from blemish import DataError, Detector
from blemish.arrays import Bytes
from blemish.data.samples import Sample
from blemish.images.parts import glance_over, joined_parts, named_parts
from blemish.images.read import Source
from blemish.images.rules import Rules

GOOD = [good_part(seed) for seed in range(20)]


@pytest.fixture(scope="module")
def detector() -> Detector:
    return blemish.fit(GOOD, progress=False, **TINY)


def groups_of(detector: Detector) -> list[str]:
    return [image.group for image in detector.manifest.images]


def test_each_image_twice_is_as_many_parts_as_once() -> None:
    twice = blemish.fit(GOOD + GOOD, progress=False, calibration="split", **TINY)
    groups = groups_of(twice)
    assert groups[:20] == groups[20:] == [f"<array>#{number}" for number in range(20)]
    assert twice.model.manifest.calibration.groups == 6  # 30 % of 20 parts
    held = {image.group for image in twice.model.manifest.images if not image.in_memory}
    assert not held & {image.group for image in twice.model.manifest.images if image.in_memory}
    assert any("20 parts" in note for note in twice.notes)
    assert any("exact copy" in note for note in twice.notes)


def test_a_copy_by_another_way_and_compression_is_one_part(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", GOOD[0])
    save_image(tmp_path / "backup" / "b.bmp", GOOD[0])
    sources: list[Source] = [tmp_path / "a.png", tmp_path / "backup" / "b.bmp", GOOD[0], GOOD[1]]
    names = named_parts(sources, None)
    assert len(set(names)) == 4
    parts = joined_parts(glance_over(sources, Rules(), threads=1), names, stated=False, threads=1)
    assert parts == [names[0], names[0], names[0], names[3]]


def test_exposures_of_one_part_are_one_part_unless_the_user_knows_better() -> None:
    random = np.random.default_rng(0)

    def part(seed: int) -> Bytes:
        spots = np.random.default_rng(seed).normal(0, 1, (12, 12))
        image = np.asarray(Image.fromarray(spots.astype(np.float32)).resize((144, 144), Image.Resampling.BICUBIC))
        return np.asarray(np.clip(128 + 40 * image, 0, 255), np.uint8)

    parts = [part(seed) for seed in range(20)]
    darker = [np.clip(0.8 * image + random.normal(0, 2, image.shape), 0, 255).astype(np.uint8) for image in parts[:5]]
    images = [*parts, *darker]
    looks = glance_over(images, Rules(), threads=1)
    names = named_parts(images, None)
    joined = joined_parts(looks, names, stated=False, threads=1)
    assert joined == names[:20] + names[:5]
    assert joined_parts(looks, names, stated=True, threads=1) == names


def test_default_names_of_parts_never_repeat() -> None:
    assert named_parts([GOOD[0], GOOD[1]], None) == ["<array>#0", "<array>#1"]
    assert named_parts([GOOD[0]], None, ["<array>#0", "<array>#2"]) == ["<array>#4"]
    assert named_parts([GOOD[0]], None, ["<array>#0", "<array>#1"]) == ["<array>#2"]


def test_images_of_one_name_stay_several_parts_and_are_removed_one_by_one(detector: Detector) -> None:
    for seed in (70, 71, 72):
        detector = detector.add([("latest.png", good_part(seed))])
    assert len(set(groups_of(detector))) == 23
    with pytest.raises(DataError, match=r"3 parts of the model; name those you mean by their part \(latest.png#20"):
        detector.remove(["latest.png"])
    fewer = detector.remove(["latest.png#21"])
    assert [image.group for image in fewer.model.manifest.images[20:]] == ["latest.png#20", "latest.png#22"]
    again = fewer.add([("latest.png", good_part(73))])
    assert len(set(groups_of(again))) == 23


def test_calibrating_on_what_the_memory_has_seen_is_refused_under_any_name(detector: Detector, tmp_path: Path) -> None:
    save_image(tmp_path / "backup" / "one.png", GOOD[3])
    new = [good_part(seed) for seed in range(80, 90)]
    with pytest.raises(DataError, match="1 of the 11 good images are in the memory"):
        blemish.calibrate(detector, [*new, tmp_path / "backup" / "one.png"], progress=False)


def test_a_model_fitted_on_arrays_is_calibrated_on_arrays(detector: Detector) -> None:
    new = [good_part(seed) for seed in range(80, 90)]
    calibration = blemish.calibrate(detector, [*new, *new], progress=False).model.manifest.calibration
    assert (calibration.mode, calibration.images, calibration.groups) == ("split", 20, 10)


def test_evaluate_says_that_it_was_given_training_images(tmp_path: Path) -> None:
    train = [save_image(tmp_path / "good" / f"{seed}.png", good_part(seed)) for seed in range(12)]
    detector = blemish.fit(train, progress=False, **TINY)
    copy = save_image(tmp_path / "copy.png", good_part(3))
    new = [save_image(tmp_path / "new" / f"{seed}.png", good_part(seed)) for seed in (40, 41)]
    bad = save_image(tmp_path / "bad.png", scratched_part(1).grey)
    twin = save_image(tmp_path / "bad 2.png", scratched_part(1).grey)
    samples = [Sample(path, 0, "good", None, str(path), "test") for path in (copy, *new)]
    samples += [Sample(path, 1, "scratch", None, str(path), "test") for path in (bad, twin)]
    found = blemish.evaluate(detector, samples, progress=False)
    assert any("1 of 5 test images are in the memory" in note and "3.png" in note for note in found.notes)
    assert found.groups == 4
    clean = blemish.evaluate(detector, samples[1:4], progress=False)
    assert not any("in the memory" in note for note in clean.notes)


def test_bytes_and_arrays_of_one_picture_are_one_part() -> None:
    buffer = io.BytesIO()
    Image.fromarray(GOOD[0]).save(buffer, "PNG")
    sources: list[Source] = [buffer.getvalue(), GOOD[0]]
    looks = glance_over(sources, Rules(), threads=1)
    assert len(set(joined_parts(looks, named_parts(sources, None), stated=True, threads=1))) == 1
