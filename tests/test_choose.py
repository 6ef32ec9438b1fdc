"""One transform for all images of a model."""

from typing import Any

import numpy as np
import pytest

from blemish.images.probe import ImageKind
from blemish.images.sizing import choose_resize, choose_transform
from blemish.options.settings import make_settings

IMAGE = np.zeros((8, 8), np.uint8)


def input_size(*sizes: tuple[int, int], stride: int = 16, **options: Any) -> tuple[int, int]:
    """The input (height, width) chosen for images of these (height, width)."""
    kinds = [ImageKind(height, width, "uint8") for height, width in sizes]
    transform = choose_transform([IMAGE] * len(kinds), kinds, make_settings(**options), None, stride)
    return transform.height, transform.width


def test_the_input_has_the_area_asked_for_in_the_median_aspect() -> None:
    assert input_size((100, 100), size=256) == (256, 256)
    assert input_size((100, 400), size=256) == (128, 512)
    assert input_size((400, 100), size=256) == (512, 128)
    assert input_size((100, 400), (100, 100), (100, 100), size=256, resize="letterbox") == (256, 256)
    assert input_size((100, 200), (200, 100), size=256, resize="letterbox") == (256, 256)


def test_the_input_is_a_multiple_of_the_stride() -> None:
    assert input_size((100, 130), size=100, stride=32) == (96, 128)
    assert input_size((10, 1000), size=64, stride=32) == (32, 640)


def test_a_pair_sets_height_and_width_and_a_crop_is_square() -> None:
    assert input_size((100, 400), size=(64, 320)) == (64, 320)
    assert input_size((100, 400), size=224, resize="crop") == (224, 224)


@pytest.mark.parametrize(
    ("sizes", "meant"),
    [
        ([(480, 640)] * 10, "letterbox"),
        ([(480, 640)] * 10 + [(640, 480)], "letterbox"),  # one turned image does not decide for all
        ([(480, 640), (482, 630), (478, 644)], "letterbox"),
        ([(100, 100), (100, 200), (100, 300), (200, 100)], "stretch"),
    ],
)
def test_images_that_share_an_aspect_keep_it(sizes: list[tuple[int, int]], meant: str) -> None:
    kinds = [ImageKind(height, width, "uint8") for height, width in sizes]
    assert choose_resize(kinds, make_settings()) == meant
    assert choose_resize(kinds, make_settings(resize="stretch")) == "stretch"


def test_stretching_is_to_a_square() -> None:
    assert input_size((100, 400), size=224, resize="stretch") == (224, 224)
    assert input_size((100, 400), (400, 100), size=224) == (224, 224)
