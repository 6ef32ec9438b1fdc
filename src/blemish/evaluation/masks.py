"""Which pixels of a sample are defective."""

import numpy as np

from blemish.arrays import Bools
from blemish.data.samples import Sample
from blemish.errors import DataError
from blemish.images.mask import read_mask

__all__ = ["lacks_mask", "sample_mask"]


def lacks_mask(sample: Sample) -> bool:
    """Whether nothing says which of its pixels are defective."""
    return bool(sample.label) and sample.mask is None


def sample_mask(sample: Sample, shape: tuple[int, ...]) -> Bools:
    """The mask as it is, never resized, which would move the edge of the defect; a good image needs none."""
    if sample.mask is None:
        return np.zeros(shape, bool)
    mask = read_mask(sample.mask, sample.mask_cut)
    if mask.shape != shape:
        raise DataError(
            f"The mask {sample.mask} is {mask.shape[1]} x {mask.shape[0]} pixels but the image {sample.path} is "
            f"{shape[1]} x {shape[0]}; give a mask of the image's size."
        )
    if not sample.label and mask.any():
        raise DataError(f"{sample.path} is labelled good but its mask {sample.mask} marks a defect; mend one of them.")
    return mask
