"""Which images show the same part: exact copies, and shots that differ in light, crop or noise alone.

What many images share is the product: its look, its kinds, where and how it lies. That is taken away first, and what
is left is a part's own. Two images go together where it is alike in both, after shifting one over the other.
N images, P values of a fingerprint, C directions in which many images differ.
"""

from collections.abc import Hashable, Iterator, Sequence
from itertools import product

import cv2
import numpy as np

from blemish.arrays import Array, Floats
from blemish.images.glance import SIDE

__all__ = ["FEWEST", "Groups", "near_duplicates"]

ALIKE = 0.6
"""Correlation from which two images are taken for the same part; chosen on Magnetic Tile, whose tiles are known."""
SHARED, DIRECTIONS = 20, 30
"""One direction per SHARED images, and at most DIRECTIONS, count as what all images of the product share."""
SOME = 1000
"""The number of images, evenly spread, from which is found what many share."""
NEIGHBOURS = 12
"""The number of most similar images that are compared closely with each image."""
SHIFT = SIDE // 8
"""Crops of one part may lie so far apart, in pixels of the fingerprint."""
MEMBERS = 8
"""The largest number of members that speak for a group."""
FEWEST = 10
"""With fewer images, what they share cannot be told from what sets them apart."""
PLAIN = SIDE / 4
"""Length below which a fingerprint holds too little structure to compare; evenly textured ones have about SIDE."""
ROWS = 256
"""Images compared with all others at once."""


class Groups:
    """Images joined step by step into groups; each begins alone."""

    def __init__(self, count: int) -> None:
        self._members = [[number] for number in range(count)]

    def of(self, image: int) -> list[int]:
        """The group an image is in: its members, in the order they joined."""
        return self._members[image]

    def join(self, one: int, other: int) -> None:
        """Make one group of two."""
        into, gone = self._members[one], self._members[other]
        if into is gone:
            return
        into.extend(gone)
        for image in gone:
            self._members[image] = into

    def join_equal(self, keys: Sequence[Hashable]) -> None:
        """Join the images of equal keys."""
        first: dict[Hashable, int] = {}
        for image, key in enumerate(keys):
            self.join(first.setdefault(key, image), image)

    def all(self) -> list[list[int]]:
        """Every group once, each sorted, in the order of their first images."""
        return sorted({id(members): sorted(members) for members in self._members}.values())


def near_duplicates(prints_NP: Floats, groups: Groups) -> None:
    """Join into `groups` the images that show the same part, most similar first.

    Two groups become one where their members are alike on average, so that a chain of chances does not join all.
    """
    if len(prints_NP) < FEWEST:
        return
    own_NP = _own(prints_NP)
    likeness: dict[tuple[int, int], float] = {}

    def alike(one: int, other: int) -> float:
        pair = min(one, other), max(one, other)
        if pair not in likeness:
            likeness[pair] = correlation(own_NP[pair[0]], own_NP[pair[1]])
        return likeness[pair]

    close = sorted({(-alike(*pair), pair) for pair in _candidates(own_NP)})
    for negative, (one, other) in close:
        if -negative < ALIKE:
            break
        ours, theirs = groups.of(one), groups.of(other)
        if ours is theirs:
            continue
        if np.mean([alike(*pair) for pair in product(ours[:MEMBERS], theirs[:MEMBERS])]) >= ALIKE:
            groups.join(one, other)


def correlation(one_P: Floats, other_P: Floats) -> float:
    """The correlation of two fingerprints of length 1, at the shift where it is largest."""
    padded = np.pad(one_P.reshape(SIDE, SIDE), SHIFT)
    return float(cv2.matchTemplate(padded, other_P.reshape(SIDE, SIDE), cv2.TM_CCORR).max())


def _own(prints_NP: Floats) -> Floats:
    """What sets each image apart from the product, at length 1; an image without anything of its own stays 0."""
    own_NP = prints_NP - prints_NP.mean(axis=0)
    directions_CP = _directions(own_NP[:: -(-len(own_NP) // SOME)], min(DIRECTIONS, len(own_NP) // SHARED))
    own_NP -= (own_NP @ directions_CP.T) @ directions_CP
    own_NP[np.linalg.norm(prints_NP, axis=1) < PLAIN] = 0
    return _at_length_1(own_NP)


def _directions(some_SP: Floats, count: int) -> Floats:
    """The first principal directions of some fingerprints, C x P, by way of their S x S products."""
    if count == 0:
        return some_SP[:0]
    _, vectors_SS = np.linalg.eigh(some_SP @ some_SP.T)
    return _at_length_1(vectors_SS[:, ::-1][:, :count].T @ some_SP)


def _at_length_1(rows_NP: Floats) -> Floats:
    lengths_N = np.linalg.norm(rows_NP, axis=1, keepdims=True)
    return np.asarray(rows_NP / np.maximum(lengths_N, 1e-6), np.float32)


def _candidates(own_NP: Floats) -> Iterator[tuple[int, int]]:
    """Each image with those most similar to it before any shift; the smaller number first."""
    count = min(NEIGHBOURS, len(own_NP) - 1)
    for start in range(0, len(own_NP), ROWS):
        similar_RN = own_NP[start : start + ROWS] @ own_NP.T
        rows: Array = np.arange(len(similar_RN))
        similar_RN[rows, start + rows] = -np.inf
        for row, others in enumerate(np.argpartition(-similar_RN, count - 1, axis=1)[:, :count]):
            image = start + row
            yield from ((min(image, int(other)), max(image, int(other))) for other in others)
