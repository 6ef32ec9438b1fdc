"""Lower bounds of distances from few dimensions, with proven margins (proofs in docs/kernels.md).

Take d-vectors y = (patch - mean) * scale and m axes V whose largest singular value is at most 1 + eta, squared. With
p = V'y and s = sqrt((1 + eta) |y|^2 - |p|^2), the short vector (p, s) satisfies exactly

    |short(a) - short(b)|^2  <=  (1 + eta) |a - b|^2,

so short vectors whose distance is large belong to patches whose distance is large. Every rounding
on the way is bounded: of the short vectors themselves by their `slips`, of products by `Margins`.

Where the processor multiplies bfloat16, short vectors are kept in that (`halves`): rounding them once more adds to
their slips, and a product is then several times cheaper.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from blemish.arrays import Array, Doubles, Floats

if TYPE_CHECKING:
    from blemish.search.kernels import Kernels

__all__ = ["Axes", "Bound", "Margins", "Points"]

LANES, PAIR = 16, 32
HALVES_STEP = 32
CHUNK = 64
UNIT = 2.0**-24
TINY = 2.0**-100
SAMPLE = 2048


@dataclass(frozen=True)
class Points:
    """Patches with their short vectors; N of them.

    `full` (N, d), `shorts` (N, w) in float32 or the upper halves of it (bfloat16, as uint16), `sketches` (N, s) or
    (N, 0), `slips` (N) how far rounding may have moved a short vector or sketch, `norms` (N) squared norms of the
    shorts. Rows to be searched also have `panels`, the shorts 16 by 16 with the coordinate (of halves: two coordinates)
    before the row, and `half`, half their squared norms.
    """

    full: Floats
    shorts: Array
    sketches: Floats
    slips: Doubles
    norms: Doubles
    panels: Array
    half: Floats

    def packed(self) -> Self:
        """The same with panels, padded to a whole number of pairs by rows infinitely far away."""
        padded = -(-len(self.full) // PAIR) * PAIR
        half = np.full(padded, np.inf, np.float32)
        half[: len(self.norms)] = self.norms / 2
        together = 1 if self.shorts.dtype == np.float32 else 2
        return replace(self, panels=_panels(self.shorts, padded, together), half=half)

    @classmethod
    def joined(cls, parts: "list[Points]", full_ND: Floats) -> "Points":
        """One set of points from several, over `full_ND`, which holds the patches of all of them."""
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _LASTING}
        return Points(full_ND, panels=_NONE, half=_NONE, **arrays)


@dataclass(frozen=True)
class Axes:
    """Axes V, and what makes short vectors of patches along them."""

    mean_D: Doubles
    scale: float
    """y = (patch - mean) * scale; a power of two."""
    panels: Floats
    """The axes, padded with zeros to a multiple of PAIR, in panels as those of Points."""
    axes: int
    """So many are coordinates of short vectors,"""
    width: int
    """which are padded to so many numbers,"""
    halves: bool
    """in bfloat16."""
    sketch_axes: int
    sketch: int
    """The same of sketches; 0 where there are none."""
    eta: float
    """V'V has no eigenvalue above 1 + eta."""
    step: float
    """The rounding of one projection, relative to |y|."""


@dataclass(frozen=True)
class Margins:
    """What separates a computed bound from the distance it bounds, for one set of rows."""

    d: int
    w: int
    s: int
    h: int
    """Whether shorts are halves."""
    scale: float
    """From distances of patches to the largest distance of their short vectors, without the slips."""
    slip: float
    """The largest slip of a row."""
    norm: float
    """The largest norm of a row's short vector."""
    rounding: float
    """Of a product bound, times |row|^2 / 2 + |query| |row|."""
    sharpness: float
    """Relative error of a float32 sum of squared differences."""


class Bound:
    """Axes that bound distances of patches like the given ones, `axes` of them for products.

    With `sketch` > 0, that many axes make a second, sharper bound. With `halves`, short vectors are bfloat16. Any
    axes are correct; leading principal axes of the sample rule out most.
    """

    def __init__(
        self, sample_ND: Floats, *, kernels: "Kernels", axes: int = 64, sketch: int = 0, halves: bool = False
    ) -> None:
        dimension = sample_ND.shape[1]
        sample = sample_ND[:: max(1, len(sample_ND) // SAMPLE)].astype(np.float64)
        self._kernels = kernels
        mean_D: Doubles = sample.mean(axis=0)
        sample -= mean_D
        largest = float(np.abs(sample).max()) * np.sqrt(dimension)
        scale = float(2.0 ** -np.ceil(np.log2(largest))) if largest > 0 else 1.0
        axes_MD = _principal_axes(
            (sample * scale).astype(np.float32), min(max(axes, sketch), dimension, max(1, len(sample) - 1))
        )
        count = len(axes_MD)
        axes = min(axes, count)
        # The largest row sum of |VV'| bounds its largest eigenvalue.
        square = axes_MD.astype(np.float64) @ axes_MD.T
        self._axes = Axes(
            mean_D=mean_D,
            scale=scale,
            panels=_panels(axes_MD, -(-count // PAIR) * PAIR),
            axes=axes,
            width=-(-(axes + 1) // HALVES_STEP) * HALVES_STEP if halves else axes + 1,
            halves=halves,
            sketch_axes=count if sketch else 0,
            sketch=-(-(count + 1) // LANES) * LANES if sketch else 0,
            eta=max(0.0, float(np.abs(square).sum(axis=1).max()) - 1) + 1e-12,
            # CHUNK sums, then one for each chunk, then centring and scaling.
            step=(CHUNK + -(-dimension // CHUNK) + 2) * UNIT * 1.01,
        )

    def view(self, patches_ND: Floats) -> Points:
        """Short vectors (and sketches) of patches; patches beyond all proportion are bounded by nothing."""
        return Points(patches_ND, *self._kernels.view(self._axes, patches_ND), _NONE, _NONE)

    def margins(self, rows: Points) -> Margins:
        """Margins of bounds between any view of this bound and these rows."""
        axes, dimension = self._axes, rows.full.shape[1]
        return Margins(
            d=dimension,
            w=axes.width,
            s=axes.sketch,
            h=int(axes.halves),
            scale=axes.scale * float(np.sqrt(1 + axes.eta)) * (1 + 2.0**-30),
            slip=float(rows.slips.max()),
            norm=float(np.sqrt(rows.norms.max())) * (1 + 2.0**-30),
            rounding=(axes.width + 8) * UNIT * 1.01,
            sharpness=((axes.sketch or dimension) / LANES + 3 * LANES) * 2 * UNIT * 1.01,
        )


_LASTING = ("shorts", "sketches", "slips", "norms")
_NONE: Floats = np.empty(0, np.float32)


def _panels(rows_NW: Array, padded: int, together: int = 1) -> Array:
    """Rows in panels of 16, (padded / 16, w / together, 16 * together)."""
    rows, width = rows_NW.shape
    whole = np.zeros((padded, width), rows_NW.dtype)
    whole[:rows] = rows_NW
    panels = whole.reshape(-1, LANES, width // together, together).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(panels).reshape(len(panels), -1, LANES * together)


def _principal_axes(centred_ND: Floats, count: int) -> Floats:
    """Leading principal axes (at most `count`, d), by subspace iteration from a fixed start (Halko et al. 2011)."""
    basis = np.random.default_rng(0).normal(size=(centred_ND.shape[1], count)).astype(np.float32)
    for _ in range(2):
        basis = _orthonormal(centred_ND.T @ (centred_ND @ basis))
    inside = centred_ND @ basis
    order = np.linalg.eigh(inside.T @ inside)[1][:, ::-1]
    return _orthonormal(basis @ order).T


def _orthonormal(basis_DM: Floats) -> Floats:
    """Much the same span, orthonormal in order. The ridge lets directions of no length shrink to nothing.

    Cholesky instead of Householder, which took ten times as long; no column may come out longer than 1,
    so a loss of orthogonality costs sharpness, not correctness.
    """
    basis = basis_DM.astype(np.float64)
    basis /= np.maximum(np.linalg.norm(basis, axis=0), 1e-300)
    lower = np.linalg.cholesky(basis.T @ basis + 1e-10 * np.eye(basis.shape[1]))
    return np.linalg.solve(lower, basis.T).T.astype(np.float32)
