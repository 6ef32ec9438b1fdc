"""A made-up image, which tells whether two machines see alike: another kind of processor may give other last digits."""

import hashlib
from typing import Protocol, runtime_checkable

import numpy as np

from blemish.features.patches import AnyExtractor
from blemish.images.transform import Transform

__all__ = ["Sees", "sight_of"]


@runtime_checkable
class Sees(Protocol):
    """Work with a network, whose answers depend on how the machine sees."""

    def sees(self) -> str:
        """The digest of what the network finds in the made-up image here."""


def sight_of(extractor: AnyExtractor, transform: Transform) -> str:
    """The digest of the patches that a network finds in the made-up image, which is sized as the model's are."""
    most = np.iinfo(transform.codes).max
    shape = transform.height, transform.width, 3
    grids = extractor(np.random.default_rng(0).integers(0, most, shape, transform.codes, endpoint=True))
    found = hashlib.sha256()
    for name in sorted(grids):
        found.update(np.ascontiguousarray(grids[name]).data)
    return found.hexdigest()
