"""The memory bank: the chosen training patches, and where each of them was seen."""

from dataclasses import dataclass

from blemish.arrays import Floats, Ints
from blemish.memory.coreset import Coreset
from blemish.memory.spill import take_rows
from blemish.memory.training import TrainingPatches

__all__ = ["Bank"]


@dataclass(frozen=True)
class Bank:
    """K patches in the order they were chosen."""

    rows_KD: Floats
    image_K: Ints
    """The training image each row comes from, by number."""
    cell_K: Ints
    """Its place on that image's grid: row * w + column."""
    radii_K: Floats
    """How far the farthest training patch was from the bank after each choice."""

    @classmethod
    def of(cls, patches: TrainingPatches, coreset: Coreset) -> "Bank":
        """Gather the rows a coreset has chosen."""
        chosen = coreset.indices
        return cls(take_rows(patches.values_ND, chosen), patches.image_N[chosen], patches.cell_N[chosen], coreset.radii)
