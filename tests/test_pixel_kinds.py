"""Every kind of pixels is read as tifffile and imagecodecs decode it, or refused with the remedy, as the docs say."""

import re
from pathlib import Path

import numpy as np
import pytest
from pixel_kinds import PixelKind, pixel_kinds

from blemish.arrays import Array
from blemish.errors import ImageError
from blemish.images.probe import probe_image
from blemish.images.read import read_image

KINDS = pixel_kinds()
DOCS = Path(__file__).parents[1] / "docs" / "images.md"
EXACT = {
    f"{format}, {pixels}": answer.startswith("exact")
    for format, pixels, answer in re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| (exact|refused)", DOCS.read_text("utf-8"), re.M
    )
}


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_pixels_are_exact_or_refused_with_the_remedy(kind: PixelKind) -> None:
    if not EXACT[kind.row]:
        with pytest.raises(ImageError, match=r"not supported.*convert|save it as"):
            read_image(kind.data)
        return
    pixels = read_image(kind.data)
    assert pixels.dtype == kind.pixels.dtype
    ours, theirs = (
        each if each.ndim == 3 else np.repeat(each[:, :, None], 3, axis=2) for each in (pixels, kind.pixels)
    )
    np.testing.assert_array_equal(ours, theirs)
    probed = probe_image(kind.data)
    assert (probed.height, probed.width, probed.pixels) == (*pixels.shape[:2], str(pixels.dtype))


def _coloured(pixels: Array) -> Array:
    return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)


def test_every_row_of_the_docs_is_tested() -> None:
    assert set(EXACT) == {kind.row for kind in KINDS}
    assert len(KINDS) >= 150
