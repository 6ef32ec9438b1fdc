"""The way to the network's input and back: every pixel returns to its place, and padding never counts."""

import numpy as np
import pytest
from PIL import Image

from blemish.arrays import Array, Floats
from blemish.errors import ImageError
from blemish.images.read import read_image
from blemish.images.transform import Placement, Resize, Transform
from blemish.result import Box

SIZES = [(203, 401), (401, 203), (64, 96), (97, 61), (300, 300)]


def there_and_back(transform: Transform, image: Array) -> tuple[Floats, Placement]:
    """The grey values of the sized image, as a map of the original one."""
    sized, placement = transform(image, "part.png")
    assert sized.shape == (transform.height, transform.width, 3)
    return placement.to_image(sized[:, :, 0].astype(np.float32)), placement


@pytest.mark.parametrize("resize", ["letterbox", "stretch", "crop"])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_bright_spot_comes_back_to_its_place(resize: Resize, height: int, width: int) -> None:
    transform = Transform(height=160, width=128, resize=resize)
    y, x = int(height * 0.4), int(width * 0.55)
    image = np.zeros((height, width), np.uint8)
    image[y - 4 : y + 5, x - 4 : x + 5] = 255
    image_map, _ = there_and_back(transform, image)
    assert image_map.shape == (height, width)
    rows, columns = np.nonzero(image_map >= 0.9 * np.nanmax(image_map))
    assert abs(rows.mean() - y) <= 2
    assert abs(columns.mean() - x) <= 2


@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
def test_the_whole_image_is_seen_without_a_crop(resize: Resize) -> None:
    image_map, placement = there_and_back(Transform(height=96, width=64, resize=resize), np.zeros((33, 77), np.uint8))
    assert np.isfinite(image_map).all()
    assert placement.seen == Box(0, 0, 77, 33)


def test_letterbox_keeps_the_aspect_and_centres_the_image() -> None:
    wide = Transform(height=64, width=64, resize="letterbox").place(100, 200)
    assert wide.content == Box(0, 16, 64, 32)
    tall = Transform(height=64, width=128, resize="letterbox").place(200, 100)
    assert tall.content == Box(48, 0, 32, 64)


def test_letterbox_repeats_the_edge() -> None:
    image = np.repeat(np.linspace(50, 200, 20).astype(np.uint8)[:, None], 200, axis=1)
    sized, placement = Transform(height=64, width=64, resize="letterbox")(image, "part.png")
    top, bottom = placement.content.y, placement.content.y + placement.content.height
    np.testing.assert_array_equal(sized[:top], np.broadcast_to(sized[top], (top, 64, 3)))
    np.testing.assert_array_equal(sized[bottom:], np.broadcast_to(sized[bottom - 1], (64 - bottom, 64, 3)))


@pytest.mark.parametrize("grid", [(8, 16), (4, 8), (7, 13)])
@pytest.mark.parametrize(("height", "width"), [(50, 400), (400, 50), (64, 128), (90, 100)])
def test_the_window_holds_no_padding(grid: tuple[int, int], height: int, width: int) -> None:
    placement = Transform(height=64, width=128, resize="letterbox").place(height, width)
    rows, columns = placement.window(grid, 64, 128)
    content = placement.content
    centres_y = (np.arange(grid[0])[rows] + 0.5) * 64 / grid[0]
    centres_x = (np.arange(grid[1])[columns] + 0.5) * 128 / grid[1]
    assert len(centres_y) >= 1
    assert len(centres_x) >= 1
    if content.height >= 64 / grid[0] and content.width >= 128 / grid[1]:
        assert content.y <= centres_y.min() <= centres_y.max() < content.y + content.height
        assert content.x <= centres_x.min() <= centres_x.max() < content.x + content.width
    outside = int(((np.arange(grid[0]) + 0.5) * 64 / grid[0] < content.y).sum())
    assert rows.start == outside or content.height < 64 / grid[0]


def test_without_padding_the_window_is_the_grid() -> None:
    placement = Transform(height=64, width=128, resize="stretch").place(11, 500)
    assert placement.window((8, 16), 64, 128) == (slice(0, 8), slice(0, 16))


def reference_crop(image: Array, size: int) -> Array:
    """Resize(shorter side to size * 8 / 7) and CenterCrop(size), as torchvision words them."""
    height, width = image.shape[:2]
    shorter = size * 8 // 7
    scale = shorter / min(height, width)
    resized = int(width * scale + 1e-9), int(height * scale + 1e-9)
    left, top = round((resized[0] - size) / 2), round((resized[1] - size) / 2)
    picture = Image.fromarray(image).resize(resized, Image.Resampling.BILINEAR)
    return np.asarray(picture.crop((left, top, left + size, top + size)))


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_crop_is_resize_256_and_centre_crop_224(height: int, width: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    sized, _ = Transform(height=224, width=224, resize="crop")(image, "part.png")
    np.testing.assert_array_equal(sized, reference_crop(image, 224))


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_map_of_a_crop_lies_on_the_crop(height: int, width: int) -> None:
    transform = Transform(height=224, width=224, resize="crop")
    placement = transform.place(height, width)
    image_map = placement.to_image(np.ones((224, 224), np.float32))
    seen = np.isfinite(image_map)
    share = 224 / 256
    expected = share * min(height, width)
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    assert abs(len(rows) - expected) <= 2
    assert abs(len(columns) - expected) <= 2
    assert abs(rows.mean() - (height - 1) / 2) <= 1.5
    assert abs(columns.mean() - (width - 1) / 2) <= 1.5
    assert seen[np.ix_(rows, columns)].all()


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_crop_that_is_not_square_lies_inside_the_image(height: int, width: int) -> None:
    transform = Transform(height=64, width=192, resize="crop")
    sized, placement = transform(np.zeros((height, width), np.uint8), "part.png")
    assert sized.shape == (64, 192, 3)
    seen = placement.seen
    assert 0 <= seen.x < seen.x + seen.width <= width
    assert 0 <= seen.y < seen.y + seen.height <= height
    assert abs(seen.width / seen.height - 3) < 0.2


def test_antialias_is_on_for_every_pixel_type() -> None:
    # Stripes one pixel wide average out with antialias, and become black or white without it.
    stripes = np.tile(np.array([0, 255], np.uint8), (400, 200))
    sized, _ = Transform(height=64, width=64, resize="stretch")(stripes, "part.png")
    assert abs(sized.astype(int) - 127).max() < 8
    wide = Transform(height=64, width=64, resize="stretch", pixels="uint16", low=0, high=65535)
    sized, _ = wide(stripes.astype(np.uint16) * 257, "part.png")
    assert abs(sized / 257 - 127).max() < 8


def test_the_types_agree_on_the_same_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (90, 130, 3), np.uint8)
    narrow, _ = Transform(height=64, width=96, resize="letterbox")(image, "part.png")
    for pixels, values in (("uint16", image.astype(np.uint16) * 257), ("float32", image.astype(np.float32) * 257)):
        transform = Transform.model_validate(
            {"height": 64, "width": 96, "resize": "letterbox", "pixels": pixels, "low": 0, "high": 65535}
        )
        wide, _ = transform(values, "part.png")
        assert wide.dtype == np.uint16
        assert abs(wide / 257 - narrow).max() <= 1


def test_the_range_is_the_models_and_not_the_images() -> None:
    transform = Transform(height=32, width=32, resize="stretch", pixels="uint16", low=1000, high=3000)
    dark, _ = transform(np.full((40, 40), 1500, np.uint16), "part.png")
    bright, _ = transform(np.full((40, 40), 2500, np.uint16), "part.png")
    assert (np.unique(dark).tolist(), np.unique(bright).tolist()) == ([16384], [49151])
    below, _ = transform(np.zeros((40, 40), np.uint16), "part.png")
    above, _ = transform(np.full((40, 40), 65535, np.uint16), "part.png")
    assert (below.max(), above.min()) == (0, 65535)


def test_grey_becomes_three_equal_channels() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (50, 70), np.uint8)
    transform = Transform(height=32, width=64, resize="letterbox")
    np.testing.assert_array_equal(transform(grey, "grey")[0], transform(np.dstack([grey] * 3), "colour")[0])


def test_red_stays_the_first_channel() -> None:
    bgr = np.zeros((40, 40, 3), np.uint8)
    bgr[:, :, 2] = 255
    sized, _ = Transform(height=32, width=32, resize="stretch")(read_image(bgr, channels="BGR"), "part.png")
    assert sized[16, 16].tolist() == [255, 0, 0]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_another_pixel_type_is_refused(dtype: type) -> None:
    transform = Transform(height=32, width=32, resize="stretch", pixels="uint16")
    with pytest.raises(ImageError, match=r"part\.png has .* pixels, but the model was fitted on uint16"):
        transform(np.zeros((40, 40), dtype), "part.png")


@pytest.mark.parametrize("resize", ["letterbox", "stretch", "crop"])
@pytest.mark.parametrize(("height", "width"), [(20, 2000), (2000, 20), (1, 5000), (1, 1), (3, 2)])
def test_extreme_images_are_sized_and_mapped(resize: Resize, height: int, width: int) -> None:
    transform = Transform(height=64, width=96, resize=resize)
    image_map, placement = there_and_back(transform, np.full((height, width), 9, np.uint8))
    assert image_map.shape == (height, width)
    seen = image_map[np.isfinite(image_map)]
    assert len(seen) > 0
    np.testing.assert_allclose(seen, 9, rtol=1e-6)
    rows, columns = placement.window((8, 12), 64, 96)
    assert rows.stop > rows.start
    assert columns.stop > columns.start


def test_a_point_of_the_input_is_a_pixel_of_the_image() -> None:
    placement = Transform(height=64, width=64, resize="letterbox").place(100, 200)
    points_P2 = np.array([[32, 32], [0.5, 16.5], [64, 0]])
    # The last lies on padding, which belongs to the nearest edge.
    assert placement.to_image_points(points_P2).tolist() == [[100, 50], [1, 1], [199, 0]]
