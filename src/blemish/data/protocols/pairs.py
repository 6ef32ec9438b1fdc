"""Masks and the images they belong to."""

from collections.abc import Callable, Iterable
from pathlib import Path

from blemish.errors import DataError
from blemish.images.files import listed

__all__ = ["refuse_orphans"]


def refuse_orphans(masks: Iterable[Path], image_of: Callable[[Path], Path]) -> None:
    """Raise DataError, listing them, for masks whose image is not there."""
    orphans = [mask for mask in masks if not image_of(mask).is_file()]
    if orphans:
        raise DataError(
            f"{listed(orphans)} without the image, such as {image_of(orphans[0])}; unpack the data set anew."
        )
