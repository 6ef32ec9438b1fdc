"""Inspection: defects are found where they are, and one image has one score however it comes."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parts import HEIGHT, WIDTH, good_part, save_image, scratched_part, stained_part
from PIL import Image

from blemish.arrays import Array
from blemish.detector import Detector, load
from blemish.errors import ImageError, OptionError, ProviderError
from blemish.fitting import fit
from blemish.result import Box, Verdict


def overlap(found: Box, true: Box) -> float:
    """The share of `true` that `found` covers."""
    width = min(found.x + found.width, true.x + true.width) - max(found.x, true.x)
    height = min(found.y + found.height, true.y + true.height) - max(found.y, true.y)
    return max(0, width) * max(0, height) / (true.width * true.height)


def test_defects_score_above_good_parts(detector: Detector) -> None:
    good = [detector.inspect(good_part(seed)) for seed in range(200, 206)]
    defective = [
        detector.inspect(draw(seed).grey) for seed in range(300, 303) for draw in (scratched_part, stained_part)
    ]
    assert min(r.score for r in defective) > 1.3 * max(r.score for r in good)
    assert {result.verdict for result in defective} == {Verdict.NG}
    assert sum(result.verdict is Verdict.OK for result in good) >= 4


@pytest.mark.parametrize("draw", [scratched_part, stained_part])
def test_the_highest_region_covers_the_defect(detector: Detector, draw: Any) -> None:
    """On images wider than high: exchanging H and W would put the box elsewhere (trap 7)."""
    part = draw(400)
    result = detector.inspect(part.grey)
    assert overlap(result.regions[0].box, part.defect) > 0.7
    assert result.anomaly_map is not None
    assert result.anomaly_map.shape == (HEIGHT, WIDTH)
    y, x = np.unravel_index(result.anomaly_map.argmax(), result.anomaly_map.shape)
    assert overlap(Box(int(x) - 8, int(y) - 8, 16, 16), part.defect) > 0


def test_mask_regions_and_map_agree(detector: Detector) -> None:
    result = detector.inspect(scratched_part(401).grey)
    assert result.mask is not None
    assert result.anomaly_map is not None
    calibration = detector.manifest.calibration
    assert (result.anomaly_map[result.mask] > calibration.map_extent).all()
    assert result.mask[result.anomaly_map > calibration.map_threshold].all()
    assert all(region.score > calibration.map_threshold for region in result.regions)
    assert sum(region.area for region in result.regions) == result.mask.sum()
    assert result.regions[0].score == result.anomaly_map.max()
    box = result.regions[0].box
    for x, y in result.regions[0].outline:
        assert box.x <= x < box.x + box.width
        assert box.y <= y < box.y + box.height


def test_a_larger_image_gets_a_map_of_its_own_size(detector: Detector) -> None:
    part = stained_part(402)
    large = np.asarray(Image.fromarray(part.grey).resize((3 * WIDTH, 3 * HEIGHT), Image.Resampling.BICUBIC))
    result = detector.inspect(large)
    assert result.anomaly_map is not None
    assert result.anomaly_map.shape == (3 * HEIGHT, 3 * WIDTH)
    true = part.defect
    assert overlap(result.regions[0].box, Box(3 * true.x, 3 * true.y, 3 * true.width, 3 * true.height)) > 0.7


def test_an_image_of_another_aspect_is_scored_where_it_is_seen(detector: Detector) -> None:
    tall = np.rot90(scratched_part(403).grey).copy()
    result = detector.inspect(tall)
    assert result.anomaly_map is not None
    assert result.anomaly_map.shape == (WIDTH, HEIGHT)
    assert np.isfinite(result.anomaly_map).all()


def test_the_nearest_good_patch_lies_in_a_training_image(detector: Detector, folder: Path) -> None:
    image = np.asarray(Image.open(folder / "fit" / "3.png"))
    changed = image.copy()
    changed[4:10, 100:140] = 255
    nearest = detector.inspect(changed).nearest
    assert nearest is not None
    assert Path(nearest.path).parent == folder / "fit"
    assert 0 <= nearest.x < WIDTH
    assert 0 <= nearest.y < HEIGHT
    # The score is the peak of the blurred map, which no blur makes larger than the largest distance.
    assert nearest.distance >= detector.inspect(changed).score > 30


def test_the_nearest_patch_of_an_image_fitted_on_is_its_own(folder: Path) -> None:
    images = [folder / "fit" / f"{number}.png" for number in (2, 5, 7)]
    whole = fit(images, size=64, coreset=1.0, folds=2)
    result = whole.inspect(images[1])
    assert result.score == 0
    assert result.nearest is not None
    assert result.nearest.path == str(folder / "fit" / "5.png")


def test_one_and_many_agree_bit_for_bit_and_keep_the_order(detector: Detector) -> None:
    """Trap 18."""
    images = [good_part(500), scratched_part(501).grey, good_part(502), stained_part(503).grey, good_part(504)]
    many = list(detector.inspect_many(images))
    for image, result in zip(images, many, strict=True):
        alone = detector.inspect(image)
        assert (alone.score, alone.regions, alone.nearest) == (result.score, result.regions, result.nearest)
        np.testing.assert_array_equal(alone.anomaly_map, result.anomaly_map)


def test_the_number_of_threads_changes_no_bit(model: Path) -> None:
    one, three = load(model, threads=1), load(model, threads=3)
    part = scratched_part(505).grey
    np.testing.assert_array_equal(one.inspect(part).anomaly_map, three.inspect(part).anomaly_map)
    assert one.inspect(part).score == three.inspect(part).score == next(three.inspect_many([part])).score


def test_a_saved_model_scores_like_the_fitted_one(detector: Detector, model: Path) -> None:
    again = load(model, threads=2)
    for image in (good_part(510), stained_part(511).grey):
        before, after = detector.inspect(image), again.inspect(image)
        assert (before.score, before.verdict, before.regions) == (after.score, after.verdict, after.regions)
        np.testing.assert_array_equal(before.anomaly_map, after.anomaly_map)


def encoded(pixels: Array, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def test_one_image_has_one_score_however_it_comes(detector: Detector, tmp_path: Path) -> None:
    """Grey or RGB of equal channels; file, bytes, Pillow or array."""
    grey = scratched_part(520).grey
    colour = np.repeat(grey[:, :, None], 3, axis=2)
    opaque = np.dstack([colour, np.full_like(grey, 255)])
    forms: dict[str, Any] = {
        "grey PNG": save_image(tmp_path / "grey.png", grey),
        "RGB PNG": save_image(tmp_path / "rgb.png", colour),
        "RGBA PNG": save_image(tmp_path / "rgba.png", opaque),
        "BMP": save_image(tmp_path / "grey.bmp", colour),
        "TIFF": save_image(tmp_path / "grey.tif", grey),
        "text path": str(tmp_path / "grey.png"),
        "bytes": encoded(grey, "PNG"),
        "Pillow": Image.fromarray(colour),
        "grey array": grey,
        "H x W x 1": grey[:, :, None],
        "RGB array": colour,
        "RGBA array": opaque,
        "not contiguous": np.asfortranarray(colour),
    }
    scores = {name: detector.inspect(image).score for name, image in forms.items()}
    assert set(scores.values()) == {scores["grey PNG"]}, scores


def test_exif_rotation_is_applied(detector: Detector, tmp_path: Path) -> None:
    """A camera held sideways writes turned pixels and says so (trap 11)."""
    upright = scratched_part(521).grey
    exif = Image.Exif()
    exif[0x0112] = 6  # the viewer turns it by 90 degrees clockwise
    turned = encoded(np.rot90(upright).copy(), "PNG", exif=exif)
    told, straight = detector.inspect(turned), detector.inspect(upright)
    assert told.score == straight.score
    assert told.regions == straight.regions


def test_channel_order_matters_and_is_named(detector: Detector) -> None:
    """A model of colours sees BGR as what it is (trap 9)."""
    colour = np.repeat(good_part(522)[:, :, None], 3, axis=2)
    colour[:, :, 0] //= 2
    bgr = colour[:, :, ::-1]
    assert detector.inspect(bgr, channels="BGR").score == detector.inspect(colour).score
    assert detector.inspect(bgr).score != detector.inspect(colour).score
    with pytest.raises(OptionError, match='channels="GBR"'):
        detector.inspect(colour, channels="GBR")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match='channels="GBR"'):
        list(detector.inspect_many([colour], channels="GBR"))  # type: ignore[arg-type]


def test_a_bad_image_is_an_error_alone_and_error_in_a_batch(detector: Detector, tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes(encoded(good_part(1), "PNG")[:500])
    with pytest.raises(ImageError, match=r"cut\.png cannot be decoded"):
        detector.inspect(tmp_path / "cut.png")
    wide = good_part(1).astype(np.uint16)
    results = list(detector.inspect_many([good_part(1), tmp_path / "cut.png", wide, b"", good_part(2)]))
    assert [result.verdict is Verdict.ERROR for result in results] == [False, True, True, True, False]
    assert np.isnan(results[1].score)
    assert results[1].anomaly_map is None
    assert "cut.png" in str(results[1].error)
    assert "fitted on uint8" in str(results[2].error)


@pytest.mark.parametrize("failure", [MemoryError(), "nan"])
def test_what_the_network_cannot_do_is_an_error_of_that_image(
    detector: Detector, monkeypatch: pytest.MonkeyPatch, failure: Any
) -> None:
    def broken(sized: Array) -> dict[str, Array]:
        if isinstance(failure, MemoryError):
            raise failure
        return {"patches": np.full((10, 14, 432), np.nan, np.float32)}

    monkeypatch.setattr(detector.extractors, "shared", broken)
    (result,) = detector.inspect_many([good_part(1)])
    assert result.verdict is Verdict.ERROR
    assert "does not fit in memory" in str(result.error) or "NaN" in str(result.error)


def test_images_are_taken_as_they_are_needed(detector: Detector) -> None:
    """A stream without end, such as a camera, is not read ahead of by more than a few."""
    taken = 0

    def camera() -> Iterator[Array]:
        nonlocal taken
        while True:
            taken += 1
            yield good_part(600)

    results = detector.inspect_many(camera())
    for _ in range(2):
        next(results)
    assert taken <= 2 + 2 * detector.extractors.threads
    results.close()  # type: ignore[attr-defined]


def test_timings_cover_the_steps(detector: Detector) -> None:
    timings = detector.inspect(good_part(1)).timings
    assert list(timings) == ["read", "network", "search", "map"]
    assert all(seconds >= 0 for seconds in timings.values())


def test_info_says_what_the_model_is(detector: Detector) -> None:
    info = detector.info()
    assert info["method"] == "patchcore"
    assert info["input"] == {"height": 80, "width": 112}
    assert (info["images"], info["groups"], info["bank"]["rows"]) == (8, 8, 60)
    assert info["radius"] > 0
    assert info["calibration"]["threshold"] == detector.threshold
    assert info["backbone"]["name"] == "efficientnet_lite0"
    assert info["backbone"]["licence"] == "Apache-2.0"
    assert (info["provider"], info["threads"]) == ("cpu", 2)
    assert info["settings"]["coreset"] == 60


def test_a_provider_that_is_not_there_is_refused_at_once(model: Path) -> None:
    with pytest.raises(ProviderError, match='"tensorrt" is not available here; this installation offers cpu'):
        load(model, provider="tensorrt")
    with pytest.raises(OptionError, match="threads=0"):
        load(model, threads=0)
