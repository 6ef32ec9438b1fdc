"""How good images lie against the first one, all that cannot be aligned named at once."""

from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

from blemish.errors import ImageError
from blemish.images.align import Aligner, Motion
from blemish.images.read import Source, image_name, read_image
from blemish.images.rules import Rules
from blemish.system.stream import stream

__all__ = ["Row", "all_of", "misaligned", "motion_of"]

Row: TypeAlias = tuple[float, ...]
"""A 2 x 3 matrix, row by row."""
ERRORS_SHOWN = 5
"""Images that one error names."""


def motion_of(aligner: Aligner, rules: Rules, source: Source) -> Row | ImageError:
    """How one image is aligned; what cannot be aligned answers with the error that inspection would give."""
    try:
        return tuple(aligner(read_image(source, rules=rules), image_name(source)).ravel().tolist())
    except ImageError as error:
        return error


def misaligned(sources: Sequence[Source], kind: Motion, rules: Rules, *, threads: int) -> list[ImageError]:
    """What is wrong with those of some images that cannot be aligned to the first of them."""
    if not sources:
        return []
    aligner = Aligner.to(read_image(sources[0], rules=rules), kind)
    motions = stream(partial(motion_of, aligner, rules), sources, threads=threads)
    return [motion for motion in motions if isinstance(motion, ImageError)]


def all_of(errors: Sequence[ImageError], images: int, *, aligned: bool) -> ImageError:
    """One error for those of so many images; it names the first ones."""
    if len(errors) == 1:
        return errors[0]
    shown = " ".join(map(str, errors[:ERRORS_SHOWN]))
    if aligned:
        return ImageError(f"{len(errors)} of {images} images cannot be read or aligned: {shown}")
    return ImageError(f"{len(errors)} of {images} images cannot be read: {shown}")
