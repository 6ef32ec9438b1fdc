"""From the scores of a grid's cells to the map, and from several maps to one, as operators.

Resizing bilinearly and blurring are linear, along rows and along columns apart: a map is A S B^T for the scores S of a
grid and two constant matrices. They are made by drawing single rows and columns with the product's own routine, so a
runtime needs no resizing of its own, and none of its rules for edges can differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blemish.arrays import Floats
from blemish.export.operators import BAND, FLOAT, INT64, Operators, numbers
from blemish.scoring.heatmap import JoinRule, anomaly_map, shares

__all__ = ["Drawing", "drawn", "joined", "largest", "mean_drawn", "scaled"]


@dataclass(frozen=True, eq=False)
class Drawing:
    """How scores on a grid (h x w) become a map (H x W)."""

    down_Hh: Floats
    across_Ww: Floats

    @classmethod
    def of(cls, grid: tuple[int, int], size: tuple[int, int], sigma: float) -> "Drawing":
        """From a grid to a size in pixels, blurred by `sigma` pixels."""
        return cls(*(_along(cells, side, sigma) for cells, side in zip(grid, size, strict=True)))

    def mean(self) -> "Drawing":
        """To the mean of the map, as a map of one pixel."""
        sides = (self.down_Hh, self.across_Ww)
        return Drawing(*(side.mean(axis=0, dtype=np.float64, keepdims=True).astype(np.float32) for side in sides))


def drawn(ops: Operators, scores: str, drawing: Drawing) -> str:
    """The map (H x W) of scores on a grid (h x w)."""
    across = ops("Transpose", _matrix(ops, drawing.across_Ww), perm=[1, 0])
    return ops("MatMul", ops("MatMul", _matrix(ops, drawing.down_Hh), scores), across)


def _matrix(ops: Operators, side_Pc: Floats) -> str:
    """A matrix that is 0 but for a band: the file holds the band and where it lies, runtimes join them on loading."""
    cells = side_Pc.shape[1]
    first_P = (side_Pc != 0).argmax(axis=1)
    width = int((cells - (side_Pc != 0)[:, ::-1].argmax(axis=1) - first_P).max())
    if 4 * width > cells:
        return ops.named(side_Pc)
    first_P = np.minimum(first_P, cells - width)
    starts = ops("Cast", ops.named(first_P.astype(np.uint16)[:, None], BAND), to=INT64)
    places = ops("Unsqueeze", ops("Add", starts, np.arange(width)), numbers(2))
    here = ops("Cast", ops("Equal", places, np.arange(cells)), to=FLOAT)
    band_Pb = np.take_along_axis(side_Pc, first_P[:, None] + np.arange(width), axis=1)
    values = ops("Unsqueeze", _rows(ops, band_Pb), numbers(2))
    return ops("ReduceSum", ops("Mul", here, values), numbers(1), keepdims=0)


def _rows(ops: Operators, band_Pb: Floats) -> str:
    """The band, each different row of it once: away from the edges they repeat with every cell."""
    different_Ub, which_P = np.unique(band_Pb, axis=0, return_inverse=True)
    if 2 * len(different_Ub) > len(band_Pb):
        return ops.named(band_Pb, BAND)
    which = ops("Cast", ops.named(which_P.astype(np.uint16), BAND), to=INT64)
    return ops("Gather", ops.named(different_Ub, BAND), which)


def mean_drawn(ops: Operators, scores: str, drawing: Drawing) -> str:
    """The mean (1) of such a map, from its scores: some runtimes add up so many pixels to within 1e-4 only."""
    return ops.reshaped(drawn(ops, scores, drawing.mean()), [1])


def _along(cells: int, side: int, sigma: float) -> Floats:
    """What each cell along one side gives to each pixel along it."""
    rows = [
        anomaly_map(np.repeat(row[:, None], 2, axis=1), side, 2, sigma)[:, 0] for row in np.eye(cells, dtype=np.float32)
    ]
    return np.stack(rows, axis=1)


def scaled(ops: Operators, values: str, scale: tuple[float, float]) -> str:
    """Less the mean of a scale, and over its deviation."""
    if scale == (0.0, 1.0):
        return values
    mean, deviation = scale
    return ops("Div", ops("Sub", values, np.float32(mean)), np.float32(deviation))


def joined(ops: Operators, looks: Sequence[str], weights: Sequence[float], rule: JoinRule) -> str:
    """Maps or peaks of several looks as one, as `join_maps` and `join_peaks` join them."""
    if rule == "mean":
        parts = [ops("Mul", each, np.float32(share)) for each, share in zip(looks, shares(weights), strict=True)]
        return ops("Sum", *parts)
    highest = ops("Max", *looks)
    if rule == "largest":
        return highest
    exponentials = [ops("Exp", ops("Sub", each, highest)) for each in looks]
    return ops("Add", highest, ops("Log", ops("Sum", *exponentials)))


def largest(ops: Operators, values: str) -> str:
    """The largest of all values, as one number (1)."""
    return ops.reshaped(ops("ReduceMax", values, keepdims=0), [1])
