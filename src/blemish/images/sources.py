"""What callers may give as several images, and the part that each of them shows."""

import os
from collections.abc import Sequence

import numpy as np
from PIL import Image

from blemish.errors import DataError, OptionError
from blemish.images.files import list_images
from blemish.images.read import Source, image_name, read_image

__all__ = ["check_groups", "check_varied", "list_sources"]


def list_sources(images: str | os.PathLike[str] | Sequence[Source]) -> Sequence[Source]:
    """The images of a folder, a pattern or a sequence. Raises DataError, or OptionError for a single image."""
    if isinstance(images, str | os.PathLike):
        return list_images([images])
    if isinstance(images, bytes | Image.Image):
        raise OptionError("A folder, a pattern or a list of images is wanted, not one image; put it in a list.")
    return list(images)


def check_groups(sources: Sequence[Source], groups: Sequence[str] | None) -> list[str]:
    """The group of each image; by default every image shows a part of its own."""
    if groups is None:
        return [f"{image_name(source)}#{number}" for number, source in enumerate(sources)]
    if len(groups) != len(sources):
        raise OptionError(f"{len(groups)} groups were given for {len(sources)} images; give one for each image.")
    return list(groups)


def check_varied(sources: Sequence[Source]) -> None:
    """Raise DataError where several images are all one and the same."""
    first, *others = sources
    if others and all(np.array_equal(read_image(first), read_image(other)) for other in others):
        raise DataError(
            f"The {len(sources)} good images are identical to the last pixel; give images of different good parts, "
            f"which differ as parts on the line do."
        )
