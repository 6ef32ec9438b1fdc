"""The memory bank: the chosen training patches, and where each of them was seen."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from blemish.arrays import Array, Bools, Floats, Ints
from blemish.errors import OptionError
from blemish.memory.coreset import Coreset
from blemish.memory.training import Patches

__all__ = ["Bank"]


@dataclass(frozen=True)
class Bank:
    """K patches in the order they were chosen."""

    rows_KD: Array
    """float32, or float16 at half the size; distances are exact to the rows as they are kept."""
    image_K: Ints
    """The training image each row comes from, by number."""
    cell_K: Ints
    """Its place on that image's grid: row * w + column."""
    radii_K: Floats
    """How far the farthest training patch was from the bank after each choice."""
    radius: float = math.inf
    """How far from the bank a patch of the training images may be; infinite where it was not measured, since the
    coreset was chosen in a projection."""
    scale_K: Floats | None = None
    """What distances to each row are divided by (scoring/score.py, `row_scale`); None where nothing is divided."""

    @classmethod
    def of(
        cls,
        patches: Patches,
        coreset: Coreset,
        dtype: Literal["float32", "float16"] = "float32",
        *,
        projected: bool = False,
    ) -> "Bank":
        """Gather the rows a coreset has chosen among the patches, or among projections of them.

        Raises OptionError where they do not fit into float16.
        """
        chosen = coreset.indices
        with np.errstate(over="ignore"):
            rows_KD = patches.rows(chosen).astype(dtype, copy=False)
        if not np.isfinite(rows_KD).all():
            raise OptionError("bank_type=float16 cannot hold patches with values beyond 65504; use float32.")
        bank = cls(rows_KD, *patches.places(chosen), coreset.radii)
        return bank if projected else replace(bank, radius=float(coreset.radii[-1]) + bank.rounding)

    def rows_at(self, kept_K: Bools) -> "Bank":
        """The bank of some of its rows."""
        columns = {name: getattr(self, name)[kept_K] for name in ("rows_KD", "image_K", "cell_K", "radii_K")}
        scale_K = None if self.scale_K is None else self.scale_K[kept_K]
        return replace(self, **columns, scale_K=scale_K)

    @property
    def rounding(self) -> float:
        """No row was moved farther than this when it was kept, so no distance differs by more from the unrounded one.

        float16 has 11 significant bits and a smallest step of 2^-24; the triangle inequality does the rest.
        """
        if self.rows_KD.dtype == np.float32:
            return 0.0
        rows_KD = self.rows_KD.astype(np.float64)
        largest = float(np.sqrt((rows_KD**2).sum(axis=1).max()))
        return largest * 2.0**-11 * (1 + 2.0**-10) + 2.0**-25 * float(np.sqrt(rows_KD.shape[1]))
