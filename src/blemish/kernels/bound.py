"""Lower bounds of distances from few dimensions, with proven margins (proofs in docs/kernels.md).

Take d-vectors y = (patch - mean) * scale and m axes V whose largest singular value is at most 1 + eta, squared. With
p = V'y and s = sqrt((1 + eta) |y|^2 - |p|^2), the short vector (p, s) satisfies exactly

    |short(a) - short(b)|^2  <=  (1 + eta) |a - b|^2,

so short vectors whose distance is large belong to patches whose distance is large. Every rounding
on the way is bounded: of the short vectors themselves by their `slips`, of products by `Margins`.

Where the processor multiplies numbers of 16 bits faster, short vectors are kept in those: rounding them once more adds
to their slips, and a product is then two to several times cheaper.
"""

import numpy as np

from blemish.arrays import Doubles, Floats
from blemish.kernels.points import CHUNK, LANES, NO_VALUES, PAIR, UNIT, Axes, Kind, Margins, Points, in_panels
from blemish.kernels.protocol import Kernels
from blemish.system.blas import blas_threads

__all__ = ["Bound"]

SAMPLE = 2048


class Bound:
    """Axes that bound distances of patches like the given ones, `axes` of them for products.

    With `sketch` > 0, that many axes make a second, sharper bound. Short vectors are of the `kind` asked for. Any
    axes are correct; leading principal axes of the sample rule out most.
    """

    def __init__(
        self,
        sample_ND: Floats,
        *,
        kernels: Kernels,
        axes: int = 63,
        sketch: int = 0,
        kind: Kind = Kind.FLOAT32,
    ) -> None:
        dimension = sample_ND.shape[1]
        sample = sample_ND[:: max(1, len(sample_ND) // SAMPLE)].astype(np.float64)
        self._kernels = kernels
        mean_D: Doubles = sample.mean(axis=0)
        sample -= mean_D
        largest = float(np.abs(sample).max()) * np.sqrt(dimension)
        scale = float(2.0 ** -np.ceil(np.log2(largest))) if largest > 0 else 1.0
        count = min(max(axes, sketch), dimension, max(1, len(sample) - 1))
        # Matrices so small are no faster on several threads, and far slower where others use the processors.
        with blas_threads(1):
            axes_MD = _principal_axes((sample * scale).astype(np.float32), count)
            square = axes_MD.astype(np.float64) @ axes_MD.T
        axes = min(axes, count)
        self._axes = Axes(
            mean_D=mean_D,
            scale=scale,
            panels=in_panels(axes_MD, -(-count // PAIR) * PAIR),
            axes=axes,
            width=-(-(axes + 1) // kind.step) * kind.step,
            kind=kind,
            sketch_axes=count if sketch else 0,
            sketch=-(-(count + 1) // LANES) * LANES if sketch else 0,
            # The largest row sum of |VV'| bounds its largest eigenvalue.
            eta=max(0.0, float(np.abs(square).sum(axis=1).max()) - 1) + 1e-12,
            # CHUNK sums, then one for each chunk, then centring and scaling.
            step=(CHUNK + -(-dimension // CHUNK) + 2) * UNIT * 1.01,
        )

    def view(self, patches_ND: Floats) -> Points:
        """Short vectors (and sketches) of patches; patches beyond all proportion are bounded by nothing."""
        return Points(patches_ND, *self._kernels.view(self._axes, patches_ND), NO_VALUES, NO_VALUES)

    def margins(self, rows: Points) -> Margins:
        """Margins of bounds between any view of this bound and these rows."""
        axes, dimension = self._axes, rows.full.shape[1]
        return Margins(
            d=dimension,
            w=axes.width,
            s=axes.sketch,
            kind=axes.kind,
            scale=axes.scale * float(np.sqrt(1 + axes.eta)) * (1 + 2.0**-30),
            slip=float(rows.slips.max()),
            norm=float(np.sqrt(rows.norms.max())) * (1 + 2.0**-30),
            rounding=(axes.width + 8) * UNIT * 1.01,
            sharpness=((axes.sketch or dimension) / LANES + 3 * LANES) * 2 * UNIT * 1.01,
        )


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
