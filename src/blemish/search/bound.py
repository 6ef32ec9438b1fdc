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

__all__ = ["Bound", "Margins", "Points"]

LANES, PAIR = 16, 32
HALVES_STEP = 32
CHUNK = 64
UNIT = 2.0**-24
TINY = 2.0**-100
FAR = 2.0**60
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
        self._mean_D = sample.mean(axis=0)
        sample -= self._mean_D
        largest = float(np.abs(sample).max()) * np.sqrt(dimension)
        self._scale = float(2.0 ** -np.ceil(np.log2(largest))) if largest > 0 else 1.0
        axes_MD = _principal_axes(
            (sample * self._scale).astype(np.float32), min(max(axes, sketch), dimension, max(1, len(sample) - 1))
        )
        count = len(axes_MD)
        self._axes = min(axes, count)
        # The largest row sum of |VV'| bounds its largest eigenvalue.
        square = axes_MD.astype(np.float64) @ axes_MD.T
        self._eta = max(0.0, float(np.abs(square).sum(axis=1).max()) - 1) + 1e-12
        self._panels = _panels(axes_MD, -(-count // PAIR) * PAIR)
        self._count = count
        self._halves = halves
        self.width = -(-(self._axes + 1) // HALVES_STEP) * HALVES_STEP if halves else self._axes + 1
        self.sketch = -(-(count + 1) // LANES) * LANES if sketch else 0
        # Rounding of one projection: CHUNK sums, then one for each chunk, then centring and scaling.
        self._step = (CHUNK + -(-dimension // CHUNK) + 2) * UNIT * 1.01

    def view(self, patches_ND: Floats) -> Points:
        """Short vectors (and sketches) of patches; patches beyond all proportion are bounded by nothing."""
        with np.errstate(over="ignore", invalid="ignore"):
            projected, norms = self._kernels.project(patches_ND, self._mean_D, self._scale, self._panels)
        far = ~(norms < FAR)
        projected[far], norms[far] = 0.0, 0.0
        shorts, slips = self._short(projected, norms, self._axes, self.width)
        sketches = np.empty((len(shorts), 0), np.float32)
        if self.sketch:
            sketches, more = self._short(projected, norms, self._count, self.sketch)
            slips = np.maximum(slips, more)
        if self._halves:
            shorts, moved = _halves(shorts)
            slips += moved
        slips[far] = np.inf
        squares = np.einsum("nw,nw->n", shorts, shorts, dtype=np.float64)
        kept = _upper(shorts) if self._halves else shorts
        return Points(patches_ND, kept, sketches, slips, squares, _NONE, _NONE)

    def _short(self, projected: Floats, norms: Doubles, axes: int, width: int) -> tuple[Floats, Doubles]:
        """The first coordinates and the norm of the rest, padded to `width`; and their slips."""
        head = projected[:, :axes]
        square = (1 + self._eta) * norms - np.einsum("nw,nw->n", head, head, dtype=np.float64)
        rest = np.sqrt(np.maximum(square, 0.0))
        error = np.sqrt(axes) * self._step + 3 * UNIT
        doubt = 3 * (error + UNIT) * norms
        slip = np.minimum(np.sqrt(doubt), doubt / np.maximum(rest, 1e-300))
        short = np.zeros((len(projected), width), np.float32)
        short[:, :axes], short[:, axes] = head, rest
        return short, np.sqrt(error**2 * norms + slip**2) + 4 * UNIT * np.sqrt(norms) + TINY

    def margins(self, rows: Points) -> Margins:
        """Margins of bounds between any view of this bound and these rows."""
        dimension = rows.full.shape[1]
        return Margins(
            d=dimension,
            w=self.width,
            s=self.sketch,
            h=int(self._halves),
            scale=self._scale * float(np.sqrt(1 + self._eta)) * (1 + 2.0**-30),
            slip=float(rows.slips.max()),
            norm=float(np.sqrt(rows.norms.max())) * (1 + 2.0**-30),
            rounding=(self.width + 8) * UNIT * 1.01,
            sharpness=((self.sketch or dimension) / LANES + 3 * LANES) * 2 * UNIT * 1.01,
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


def _halves(shorts_NW: Floats) -> tuple[Floats, Doubles]:
    """The nearest numbers of bfloat16, ties to even, as float32; and how far each row was moved (N)."""
    bits = shorts_NW.view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    rounded_NW: Floats = ((bits + np.uint32(0x7FFF) + odd) & np.uint32(0xFFFF0000)).view(np.float32)
    moved_NW = rounded_NW - shorts_NW  # exact: both are multiples of the smaller one's last bit
    return rounded_NW, np.sqrt(np.einsum("nw,nw->n", moved_NW, moved_NW, dtype=np.float64)) * (1 + 2.0**-30)


def _upper(shorts_NW: Floats) -> Array:
    """The upper halves of float32 numbers whose lower halves are 0."""
    return (shorts_NW.view(np.uint32) >> np.uint32(16)).astype(np.uint16)


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
