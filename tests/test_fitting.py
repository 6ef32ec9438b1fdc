"""Fitting: which images, which size, which threshold."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parts import TINY, bank_of, good_part
from PIL import Image

from blemish.arrays import Ints
from blemish.backbones.backbone import Backbone, Manifest, load_backbone
from blemish.detector import Detector, load
from blemish.errors import BackboneError, DataError, ImageError, OptionError, ProviderError
from blemish.fitting import fit
from blemish.images.probe import ImageKind, probe_image
from blemish.images.read import Source
from blemish.methods.patchcore import PatchCore

GOOD = [good_part(seed) for seed in range(4)]


def test_folder_pattern_paths_and_arrays_fit_alike(folder: Path, detector: Detector) -> None:
    paths = sorted((folder / "fit").iterdir())
    for images in (str(folder / "fit" / "*.png"), paths, [np.asarray(Image.open(path)) for path in paths]):
        again = fit(images, **TINY)
        np.testing.assert_array_equal(bank_of(again).rows_KD, bank_of(detector).rows_KD)
        assert again.model.manifest.calibration == detector.manifest.calibration


def test_thresholds_come_from_images_the_memory_never_saw(detector: Detector) -> None:
    """With every patch in the bank, each good image itself scores 0; the threshold must not."""
    calibration = detector.manifest.calibration
    assert calibration.threshold == max(detector.model.held_out.scores_M)  # 8 images: the most they can give
    assert (calibration.mode, calibration.images, calibration.groups) == ("cross", 8, 8)
    remembered = fit(GOOD, size=64, coreset=1.0)
    assert [result.score for result in remembered.inspect_many(GOOD)] == [0] * 4
    assert remembered.model.held_out.scores_M.min() > 10


def test_no_fold_divides_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every memory of a fold lacks all pictures of the parts that it scores."""
    images = [good_part(seed) for seed in range(6)]
    groups = ["a", "b", "a", "c", "b", "c"]
    left_out = []
    whole_without = PatchCore.without

    def spy(method: PatchCore, images: Ints) -> PatchCore:
        remaining = whole_without(method, images)
        assert not set(remaining.looks[0].bank.image_K) & set(images)
        left_out.append(images.tolist())
        return remaining

    monkeypatch.setattr(PatchCore, "without", spy)
    fitted = fit(images, groups=groups, folds=3, **TINY)
    assert sorted(left_out) == [[0, 2], [1, 4], [3, 5]]
    assert (fitted.info()["groups"], fitted.model.manifest.calibration.groups) == (3, 3)


def test_a_twin_in_the_same_group_does_not_lower_the_threshold() -> None:
    twins = [image for image in GOOD[:2] for _ in range(2)]
    together = fit(twins, groups=[str(i // 2) for i in range(4)], folds=4, size=64, coreset=1.0)
    assert together.threshold > 10
    told = fit(twins, folds=4, size=64, coreset=1.0)
    assert told.threshold == together.threshold, "copies are one part, said or not"


@pytest.mark.parametrize("count", [2, 5])
def test_identical_images_are_refused(count: int) -> None:
    with pytest.raises(DataError, match=f"The {count} good images are identical to the last pixel"):
        fit([GOOD[0]] * count, **TINY)


def test_a_split_keeps_parts_from_the_memory() -> None:
    images = [good_part(seed) for seed in range(10)]
    groups = [str(seed // 2) for seed in range(10)]
    fitted = fit(images, groups=groups, calibration="split", held_out=2, coreset=0.2, size=64)
    held = [number for number, image in enumerate(fitted.model.manifest.images) if not image.in_memory]
    assert len(held) == 4
    assert list(fitted.model.held_out.image_M) == held
    assert not set(bank_of(fitted).image_K) & set(held)
    assert len({groups[number] for number in held}) == 2
    calibration = fitted.model.manifest.calibration
    assert (calibration.mode, calibration.groups, calibration.images) == ("split", 2, 4)
    assert (fitted.info()["images"], fitted.info()["groups"]) == (6, 3)
    assert fitted.info()["calibration"]["promise"] == pytest.approx(1 - 0.05**0.5)
    # The scores that set the threshold are those that inspection gives, to the last bit.
    np.testing.assert_array_equal(
        [fitted.inspect(images[number]).score for number in held], fitted.model.held_out.scores_M
    )


def test_seed_0_is_the_default() -> None:
    assert numbers() == numbers(seed=0)


def test_the_number_of_threads_changes_nothing() -> None:
    assert numbers(threads=1) == numbers(threads=3)


def numbers(**options: Any) -> list[float]:
    fitted = fit(GOOD[:3], **{"size": 64, "coreset": 20} | options)
    calibration = fitted.model.manifest.calibration
    return [
        calibration.threshold,
        calibration.review_threshold,
        calibration.map_threshold,
        *fitted.model.held_out.scores_M,
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"size": 96},
        {"taps": "3"},
        {"resize": "crop"},
        {"patch_size": 5},
        {"patch_stride": 2},
        {"merge": "adaptive"},
        {"coreset": 10},
        {"projection": 8},
        {"image_score": "max"},
        {"image_score": "reweighted"},
        {"image_score": "reweighted", "neighbours": 3},
        {"image_score": "top", "top": 0.1},
        {"seed": 1},
        {"false_rejects": 0.6},
        {"review": 0.6},
        {"calibration": "split"},
        {"calibration": "split", "held_out": 2},
        {"folds": 2},
        {"preset": "paper", "size": 64},
    ],
    ids=str,
)
def test_every_option_changes_what_comes_out(options: dict[str, Any]) -> None:
    # What belongs to one image score is compared with that score's default.
    base = {"image_score": options["image_score"]} if options.keys() & {"neighbours", "top"} else {}
    assert numbers(**options) != numbers(**base)


def test_sigma_blurs_the_map() -> None:
    sharp, blurred = (fit(GOOD, sigma=sigma, **TINY).inspect(GOOD[0]).anomaly_map for sigma in (0, 8))
    assert sharp is not None
    assert blurred is not None
    assert np.abs(np.diff(blurred)).max() < 0.5 * np.abs(np.diff(sharp)).max()


@pytest.mark.parametrize("pixels", ["uint16", "float32"])
def test_16_bit_and_float_images_fit_and_inspect(pixels: str) -> None:
    """A 12-bit camera in a 16-bit file: its range is found, and a defect stands out as in 8 bits (trap 10)."""
    images = [(image.astype(np.float32) * 16).astype(pixels) for image in GOOD]
    fitted = fit(images, **TINY)
    transform = fitted.model.manifest.transform
    assert transform.pixels == pixels
    assert 0 <= transform.low + 500 < transform.high < 6000
    stained = images[0].copy()
    stained[60:80, 20:40] = 0
    good, bad = fitted.inspect(good_part(50).astype(np.float32).__mul__(16).astype(pixels)), fitted.inspect(stained)
    assert bad.score > 1.5 * good.score


def test_the_range_of_pixels_can_be_given_but_not_for_8_bits() -> None:
    images = [image.astype(np.uint16) * 16 for image in GOOD]
    transform = fit(images, pixel_range=(0, 4095), **TINY).model.manifest.transform
    assert (transform.low, transform.high) == (0, 4095)
    with pytest.raises(OptionError, match="pixel_range is for 16-bit and float images"):
        fit(GOOD, pixel_range=(0, 255), **TINY)


def test_progress_ends_every_step() -> None:
    last: dict[str, tuple[int, int]] = {}
    fit(GOOD, progress=lambda step, done, total: last.update({step: (done, total)}), **TINY)
    assert last.keys() == {"look", "patches", "threshold", "coreset", "candidates"}
    assert all(done == total for done, total in last.values())


def test_a_size_that_a_fixed_network_would_ignore_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = load_backbone("efficientnet_lite0")
    fixed = Backbone(free.manifest.model_copy(update={"size": (96, 96)}), free.onnx)
    monkeypatch.setattr("blemish.methods.prepare.load_backbone", lambda name: fixed)
    with pytest.raises(OptionError, match="takes 96x96 only; leave size out"):
        fit(GOOD, size=128)


def test_what_cannot_be_fitted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No images were given"):
        fit([])
    with pytest.raises(DataError, match="at least 2 good images"):
        fit(GOOD[:1], **TINY)
    with pytest.raises(DataError, match="at least 2 good images of different parts"):
        fit(GOOD, groups=["one"] * 4, **TINY)
    with pytest.raises(OptionError, match="3 groups were given for 4 images"):
        fit(GOOD, groups=["a"] * 3, **TINY)
    with pytest.raises(DataError, match="uint8 pixels but <array> has uint16"):
        fit([GOOD[0], GOOD[1].astype(np.uint16)], **TINY)
    with pytest.raises(ImageError, match="single value"):
        fit([np.full((50, 50), 7, np.uint16)] * 3, **TINY)
    for one in (GOOD[0], np.repeat(GOOD[0][:, :, None], 3, axis=2), Image.fromarray(GOOD[0]), ("one", GOOD[0])):
        with pytest.raises(DataError, match="at least 2 good images"):
            fit(one, **TINY)
    with pytest.raises(BackboneError, match="no backbone 'resnet99'"):
        fit(GOOD, backbone="resnet99")
    with pytest.raises(ProviderError, match='"abacus" is not available'):
        fit(GOOD, provider="abacus", **TINY)
    with pytest.raises(OptionError, match="no tap layer9; it offers"):
        fit(GOOD, taps=["layer9"])


def test_bytes_and_pillow_images_can_be_fitted_on(folder: Path, detector: Detector) -> None:
    paths = sorted((folder / "fit").iterdir())
    mixed: list[Source] = [paths[0].read_bytes(), Image.open(paths[1]), *paths[2:]]
    fitted = fit(mixed, **TINY)
    np.testing.assert_array_equal(bank_of(fitted).rows_KD, bank_of(detector).rows_KD)


def test_the_manifest_says_what_was_fitted_on(folder: Path, detector: Detector) -> None:
    manifest = detector.manifest
    assert [Path(image.path).name for image in manifest.images] == [f"{i}.png" for i in range(8)]
    assert {(image.height, image.width) for image in manifest.images} == {(96, 144)}
    assert probe_image(folder / "fit" / "0.png") == ImageKind(96, 144, "uint8")
    assert isinstance(manifest.backbone, Manifest)
    assert json.loads(manifest.model_dump_json())["settings"]["size"] == 96


def test_a_radius_gives_varied_parts_more_rows(folder: Path) -> None:
    whole = fit(folder / "fit", **TINY)
    radius = 1.5 * whole.info()["radius"]
    stopped = fit(folder / "fit", **TINY | {"radius": radius}).info()
    assert stopped["bank"]["rows"] < whole.info()["bank"]["rows"]
    assert stopped["radius"] <= radius
    plain = [np.full((96, 144), 90 + level, np.uint8) for level in range(4)]
    uniform = fit(plain, **TINY | {"radius": radius}).info()
    assert uniform["bank"]["rows"] < stopped["bank"]["rows"]


def test_a_bank_of_halves_keeps_its_promise(folder: Path, detector: Detector, tmp_path: Path) -> None:
    halved = fit(folder / "fit", **TINY | {"bank_type": "float16"})
    rounding = halved.info()["bank"]["rounding"]
    assert 0 < rounding < 0.01 * detector.info()["radius"]
    for image in sorted((folder / "line").iterdir()):
        nearest, before = halved.inspect(image).nearest, detector.inspect(image).nearest
        assert nearest is not None
        assert before is not None
        assert abs(nearest.distance - before.distance) <= rounding
    halved.save(tmp_path / "half.blemish")
    again = load(tmp_path / "half.blemish")
    image = folder / "line" / "scratch.png"
    assert again.inspect(image).score == halved.inspect(image).score
    detector.save(tmp_path / "full.blemish")
    saved = (tmp_path / "full.blemish").stat().st_size - (tmp_path / "half.blemish").stat().st_size
    rows, dimension = (detector.info()["bank"][name] for name in ("rows", "dimension"))
    assert abs(saved - 2 * rows * dimension) < 500


def test_approximate_search_is_told_and_lasts(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("faiss", reason="the extra [faiss] is not installed")
    approximate = fit(folder / "fit", **TINY | {"search": "approximate"})
    assert approximate.info()["search"].startswith("approximate search finds ")
    approximate.save(tmp_path / "part.blemish")
    image = folder / "line" / "good1.png"
    assert load(tmp_path / "part.blemish").inspect(image).score == approximate.inspect(image).score
