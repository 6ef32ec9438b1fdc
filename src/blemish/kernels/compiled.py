"""The five kernels in C (_kernels.c), called through ctypes, which releases the interpreter lock."""

import ctypes
from ctypes import POINTER, Structure, byref, c_double, c_int, c_int64, c_void_p
from types import ModuleType

import numpy as np

from blemish.arrays import Array, Doubles, Floats, Ints
from blemish.errors import BlemishError
from blemish.kernels.gaussians import EPSILON, STRIP, Gaussians, packed_numbers
from blemish.kernels.points import LANES, Axes, Kind, Margins, Points
from blemish.system.stream import available_threads

__all__ = ["Compiled"]

QUERIES, HALF_QUERIES = 12, 32

POINTS = ("full", "shorts", "panels", "units", "half", "sketches", "slips", "norms")
SIZES, FACTORS = ("d", "w", "s", "kind"), ("scale", "slip", "norm", "rounding", "sharpness")

GAUSSIANS_SIZES = ("places", "images", "d", "folds", "largest", "strip", "numbers")
GAUSSIANS_ARRAYS = ("patches", "members", "starts", "mean", "factor", "lengths")
SQUARE, PLACES = 4, 4
"""Of _kernels.c: rows of a block of a factor, and places that are reckoned side by side."""

AXES_SIZES = ("axes", "width", "kind", "sketch_axes", "sketch")
AXES_FACTORS = ("scale", "eta", "step")

ISAS = ("plain", "AVX2", "AVX-512", "AVX-512 with bfloat16", "AVX-512 with bfloat16 and AMX tiles")
"""Instruction sets by their number in the extension."""
LAYOUT = 3
"""What the extension must say of its functions; another one would read memory that is not there."""
KINDS = (Kind.FLOAT32, Kind.INT16, Kind.FLOAT32, Kind.BFLOAT16, Kind.BFLOAT16)
"""The short vectors whose products each of them is fastest at."""


class _Points(Structure):
    _fields_ = tuple((name, c_void_p) for name in POINTS)

    def __init__(self, points: Points) -> None:
        super().__init__(*(_at(getattr(points, name)) for name in POINTS))


class _Margins(Structure):
    _fields_ = (*((name, c_int64) for name in SIZES), *((name, c_double) for name in FACTORS))

    def __init__(self, margins: Margins) -> None:
        super().__init__(*(getattr(margins, name) for name in SIZES + FACTORS))


class _Axes(Structure):
    _fields_ = (
        *((name, c_int64) for name in ("d", "m", *AXES_SIZES)),
        *((name, c_double) for name in AXES_FACTORS),
        *((name, c_void_p) for name in ("mean", "panels")),
    )

    def __init__(self, axes: Axes, dimension: int, padded: int) -> None:
        own = (getattr(axes, name) for name in AXES_SIZES + AXES_FACTORS)
        super().__init__(dimension, padded, *own, _at(axes.mean_D), _at(axes.panels))


class _Gaussians(Structure):
    _fields_ = (
        *((name, c_int64) for name in GAUSSIANS_SIZES),
        ("epsilon", c_double),
        *((name, c_void_p) for name in GAUSSIANS_ARRAYS),
    )


def _at(array: Array) -> int:
    assert array.flags.c_contiguous, "the compiled kernels take contiguous arrays"
    address: int = array.__array_interface__["data"][0]  # several times faster than array.ctypes
    return address


def check_layout(library: ctypes.CDLL) -> None:
    """Raise BlemishError for an extension that was compiled from another version of the sources."""
    if not hasattr(library, "layout") or library.layout() != LAYOUT:
        raise BlemishError("The compiled kernels are of another version than the rest; install blemish again.")


class Compiled:
    """The kernels of the extension module, with at most the instruction set ISAS[isa]."""

    name = "compiled"

    def __init__(self, module: ModuleType, *, isa: int = 4) -> None:
        self._library = library = ctypes.CDLL(str(module.__file__))
        check_layout(library)
        pair, points = POINTER(_Margins), POINTER(_Points)
        library.use_isa.argtypes, library.use_isa.restype = [c_int], c_int
        library.exact_pairs.argtypes = [c_void_p, c_void_p, *[c_int64] * 3, c_void_p]
        library.exact_pairs.restype = None
        library.view.argtypes = [POINTER(_Axes), c_void_p, c_int64, *[c_void_p] * 6]
        library.view.restype = None
        library.nearest.argtypes = [
            *(pair, points, c_void_p, c_int64, points, c_int64, c_void_p, c_void_p, c_int64),
            *[c_void_p] * 4,
        ]
        library.nearest.restype = None
        library.greedy_pool.argtypes = [pair, points, c_int64, c_void_p, c_double, c_int64, c_int64, *[c_void_p] * 4]
        library.greedy_pool.restype = c_int64
        library.gaussians.argtypes, library.gaussians.restype = [POINTER(_Gaussians), c_void_p], None
        self.isa = int(library.use_isa(isa))
        self.kind = KINDS[self.isa]
        self.described = f"compiled C, {ISAS[self.isa]} instructions"

    def workers(self, threads: int | None) -> int:
        return available_threads() if threads is None else max(1, threads)

    def exact_pairs(self, left_ND: Floats, right_ND: Floats) -> Doubles:
        out = np.empty(len(left_ND))
        step = 0 if len(right_ND) == 1 else 1
        self._library.exact_pairs(_at(left_ND), _at(right_ND), step, *left_ND.shape, _at(out))
        return out

    def view(self, axes: Axes, patches_ND: Floats) -> tuple[Array, Floats, Floats, Doubles, Doubles]:
        rows, dimension = patches_ND.shape
        padded = axes.panels.shape[0] * LANES
        shorts_NW = np.empty((rows, axes.width), axes.kind.dtype)
        units_N = np.empty(rows if axes.kind is Kind.INT16 else 0, np.float32)
        sketches_NS = np.empty((rows, axes.sketch), np.float32)
        slips_N, norms_N = np.empty(rows), np.empty(rows)
        scratch = np.empty(QUERIES * (dimension + 2 * padded) + padded + 2 * axes.width, np.float32)
        addresses = map(_at, (shorts_NW, units_N, sketches_NS, slips_N, norms_N, scratch))
        self._library.view(byref(_Axes(axes, dimension, padded)), _at(patches_ND), rows, *addresses)
        return shorts_NW, units_N, sketches_NS, slips_N, norms_N

    def nearest(
        self,
        margins: Margins,
        queries: Points,
        at_Q: Ints,
        rows: Points,
        met_Q: Ints,
        hints_QK: Ints | None,
        best_QK: Doubles,
        numbers_QK: Ints,
    ) -> None:
        scratch = np.zeros((len(at_Q) + HALF_QUERIES, margins.w), margins.kind.dtype)
        edges = np.empty((len(at_Q), 3))
        hints = None if hints_QK is None else _at(hints_QK)
        self._library.nearest(
            byref(_Margins(margins)), byref(_Points(queries)), _at(at_Q), len(at_Q), byref(_Points(rows)),
            len(rows.full), _at(met_Q), hints, best_QK.shape[1], _at(best_QK), _at(numbers_QK), _at(scratch),
            _at(edges),
        )  # fmt: skip

    def greedy_pool(
        self, margins: Margins, pool: Points, numbers: Ints, outside: tuple[float, int], wanted: int, values: Doubles
    ) -> tuple[Ints, Doubles]:
        chosen, squared = np.empty(wanted, np.int64), np.empty(wanted)
        starts = np.empty(len(pool.half), np.float32)
        count = self._library.greedy_pool(
            byref(_Margins(margins)), byref(_Points(pool)), len(pool.full), _at(numbers), *outside, wanted,
            _at(values), _at(starts), _at(chosen), _at(squared),
        )  # fmt: skip
        return chosen[:count], squared[:count]

    def gaussians(self, good_PND: Floats, fold_of_N: Ints | None) -> Gaussians:
        places, images, dimension = good_PND.shape
        members, starts = _by_size(np.zeros(0, np.int64) if fold_of_N is None else fold_of_N)
        largest = int(np.diff(starts).max(initial=0))
        found = Gaussians(
            np.empty((places, dimension), np.float32),
            np.empty((places, packed_numbers(dimension)), np.float32),
            None if fold_of_N is None else np.empty((places, images)),
        )
        sizes = (places, images, dimension, len(starts) - 1, largest, STRIP, found.factor_PF.shape[1])
        lengths = 0 if found.lengths_PN is None else _at(found.lengths_PN)
        arrays: tuple[Array, ...] = (good_PND, members, starts, found.mean_PD, found.factor_PF)
        scratch = np.empty(_scratch(images, dimension, largest))
        self._library.gaussians(byref(_Gaussians(*sizes, EPSILON, *map(_at, arrays), lengths)), _at(scratch))
        return found


def _by_size(fold_of_N: Ints) -> tuple[Ints, Ints]:
    """The images fold by fold, small folds first, and where each begins and the last ends."""
    _, number_of_N, counts = np.unique(fold_of_N, return_inverse=True, return_counts=True)
    order = np.argsort(counts, kind="stable")
    place_of = np.argsort(order, kind="stable")
    members = np.argsort(place_of[number_of_N], kind="stable")
    return np.asarray(members, np.int64), np.asarray(np.concatenate([[0], np.cumsum(counts[order])]), np.int64)


def _scratch(images: int, dimension: int, largest: int) -> int:
    """So many doubles does _kernels_gaussians.h lay out, and one vector more to begin at an even place."""
    n, most = -(-dimension // SQUARE) * SQUARE, (largest + SQUARE) // SQUARE * SQUARE
    whole = images * n + n + images + 4 * n * n + n * SQUARE + n * most + 3 * most * most + most * SQUARE
    return PLACES * (whole + 1)
