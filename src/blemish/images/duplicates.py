"""Which images show the same part: exact copies, and shots that differ in light, crop or noise alone.

What all images share is the product; it is taken away first. Two images go together where the fine structure that is
left is alike in both, after shifting one over the other, and more alike than either is to any third: cells of one
wafer are alike too, but then one is like the next and that like another, without a gap.
Fingerprints are all of one size, so that two crops of one part, cut a little differently, are stretched differently;
such images are also compared at one scale of the camera's pixels.
N images, P values of a fingerprint.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np

from blemish.arrays import Array, Floats
from blemish.images.glance import SIDE, STEPS, Glance
from blemish.system.stream import stream

__all__ = ["FEWEST", "Groups", "near_duplicates"]

ALIKE = 0.5
"""Correlation from which two images may be of one part. This, GAP and the bands of a fingerprint were chosen on
Magnetic Tile, whose tiles are known, and on solar cells, of which each is another."""
GAP = 0.5
"""What is missing to full correlation within a part, over what is missing between it and the next."""
SMALL, BLUR = 16, 3.0
"""Side and blur of the prints by which the pairs to compare are found: so small that a shift does not count."""
NEIGHBOURS = 12
"""The number of most similar images that are compared closely with each image."""
SHIFT = SIDE // 16
"""Crops of one part may lie so far apart, in pixels of the fingerprint."""
MEMBERS = 8
"""The largest number of members that speak for a group."""
FEWEST = 10
"""With fewer images, what they share cannot be told from what sets them apart."""
PLAIN = SIDE / 4 * STEPS
"""Length below which a fingerprint holds too little structure to compare; even texture has SIDE * STEPS."""
AT_ONCE = 16
"""Pairs that a thread compares before it takes others."""
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


def near_duplicates(glances: Sequence[Glance], groups: Groups, *, threads: int) -> None:
    """Join into `groups` the images that show the same part. The result does not depend on `threads`."""
    if len(glances) < FEWEST:
        return
    likeness = _Likeness(glances)
    for part in _standing_out(_tree(likeness, groups, threads)):
        for member in part.members:
            groups.join(part.members[0], member)


class _Likeness:
    """How alike the parts of two images are; each pair is compared once."""

    def __init__(self, glances: Sequence[Glance]) -> None:
        self._prints_NP = prints_NP = np.stack([glance.print_P for glance in glances])
        self._sizes_N2 = np.array([(glance.height, glance.width) for glance in glances])
        self._mean_P = prints_NP.mean(axis=0, dtype=np.float32)
        self._known: dict[tuple[int, int], float] = {}
        self._plain_N = [float(np.linalg.norm(print_P.astype(np.float32))) < PLAIN for print_P in prints_NP]

    def __call__(self, one: int, other: int) -> float:
        pair = min(one, other), max(one, other)
        if pair not in self._known:
            self._known[pair] = self._compared(*pair)
        return self._known[pair]

    def _compared(self, one: int, other: int) -> float:
        if self._plain_N[one] or self._plain_N[other]:
            return 0.0
        one_P, other_P = self._own(one), self._own(other)
        stretched = correlation(one_P, other_P)
        rows, columns = (round(SIDE * float(scale)) for scale in self._sizes_N2[other] / self._sizes_N2[one])
        if not _other_crop(rows, columns):
            return stretched
        return max(stretched, correlation(one_P, other_P, (rows, columns)))

    def between(self, ours: Sequence[int], theirs: Sequence[int]) -> float:
        """The mean over two groups."""
        return float(np.mean([self(*pair) for pair in product(ours[:MEMBERS], theirs[:MEMBERS])]))

    def closest(self, threads: int) -> list[tuple[float, tuple[int, int]]]:
        """The pairs worth comparing, the most alike first."""
        small_NP = np.stack([_small(self._own(image)) for image in range(len(self._prints_NP))])
        pairs = sorted(set(_candidates(small_NP)))
        parts = (pairs[start : start + AT_ONCE] for start in range(0, len(pairs), AT_ONCE))
        found = stream(self._all, parts, threads=threads)
        return sorted((each for part in found for each in part), key=lambda each: (-each[0], each[1]))

    def _all(self, pairs: Sequence[tuple[int, int]]) -> list[tuple[float, tuple[int, int]]]:
        return [(self(*pair), pair) for pair in pairs]

    def _own(self, image: int) -> Floats:
        """What sets an image apart from the product."""
        return np.asarray(self._prints_NP[image] - self._mean_P, np.float32)


@dataclass(eq=False)
class _Node:
    """Images that are alike, made of two halves or given."""

    members: list[int]
    within: float = 1.0
    """How alike its halves are."""
    halves: tuple["_Node", ...] = ()
    beyond: float = 0.0
    """How alike it is to the next of the others."""


def _tree(likeness: _Likeness, groups: Groups, threads: int) -> list[_Node]:
    """Groups joined by twos, the most alike first, as long as their members are alike on average.

    A chain of chances so does not join all.
    """
    node_of = {member: node for node in map(_Node, groups.all()) for member in node.members}
    for alike, (one, other) in likeness.closest(threads):
        ours, theirs = node_of[one], node_of[other]
        if ours is theirs:
            continue
        if alike >= ALIKE:
            alike = likeness.between(ours.members, theirs.members)
        ours.beyond, theirs.beyond = max(ours.beyond, alike), max(theirs.beyond, alike)
        if alike >= ALIKE:
            joined = _Node(ours.members + theirs.members, alike, (ours, theirs))
            node_of.update(dict.fromkeys(joined.members, joined))
    return list({id(node): node for node in node_of.values()}.values())


def _standing_out(nodes: list[_Node]) -> Iterator[_Node]:
    """The largest nodes whose halves are much more alike than they are to anything else."""
    while nodes:
        node = nodes.pop()
        if not node.halves or 1 - node.within <= GAP * (1 - node.beyond):
            yield node
        else:
            nodes.extend(node.halves)


def correlation(one_P: Floats, other_P: Floats, shape: tuple[int, int] = (SIDE, SIDE)) -> float:
    """The correlation of two fingerprints at the shift where it is largest, over what both then show.

    `shape` are the rows and columns that bring the other to the scale of the first.
    """
    other: Array = other_P.reshape(SIDE, SIDE)
    if shape != other.shape:
        other = cv2.resize(other, shape[::-1], interpolation=cv2.INTER_LINEAR)
    inner = other[_middle(shape[0]), _middle(shape[1])]
    return float(cv2.matchTemplate(one_P.reshape(SIDE, SIDE), inner, cv2.TM_CCORR_NORMED).max())


def _middle(length: int) -> slice:
    """What may be shifted by SHIFT both ways and still lies within a fingerprint."""
    kept = min(length, SIDE) - 2 * SHIFT
    start = (length - kept) // 2
    return slice(start, start + kept)


def _other_crop(rows: int, columns: int) -> bool:
    """Whether an image of such a shape, beside one of SIDE, may be cut from it or it from that one: SHIFT each side."""
    return (rows, columns) != (SIDE, SIDE) and max(abs(rows - SIDE), abs(columns - SIDE)) <= 2 * SHIFT


def _small(own_P: Floats) -> Floats:
    """A fingerprint at length 1 in which a small shift does not count."""
    blurred = cv2.GaussianBlur(own_P.reshape(SIDE, SIDE), (0, 0), BLUR)
    small_P = cv2.resize(blurred, (SMALL, SMALL), interpolation=cv2.INTER_AREA).ravel()
    return np.asarray(small_P / max(float(np.linalg.norm(small_P)), 1e-6), np.float32)


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
