"""The rows of the bank around one of its rows, for the re-weighted image score.

The file need not hold them: they follow from the bank. The graph measures in float32, so where the last row around and
the first one beyond are as good as equally far, it could take the other one. Those rows, few as they are, are listed.
"""

import numpy as np

from blemish.arrays import Array, Bools
from blemish.export.operators import INT64, Operators, numbers
from blemish.methods.look import Look

__all__ = ["rows_around"]

MOST = 4096
"""Rows of a bank up to which they are measured on every image, in one pass over it. Of larger ones, all are listed."""


def rows_around(ops: Operators, look: Look, count: int, rows: str, found: str) -> str:
    """The numbers (b; int64) of the `count` rows nearest to the row `found` (1), itself among them."""
    bank_KD = look.bank.rows_KD
    if count >= len(bank_KD):
        return ops("Range", np.int64(0), np.int64(len(bank_KD)), np.int64(1))
    if len(bank_KD) > MOST:
        listed = ops("Gather", _small(look.search.query(look.search.bank_KD, count)[1]), found)
        return ops.reshaped(ops("Cast", listed, to=INT64), [-1])
    difference = ops("Sub", rows, ops("Gather", rows, found))
    squares = ops("ReduceSum", ops("Mul", difference, difference), numbers(1), keepdims=0)
    _, measured = ops.two("TopK", squares, numbers(count), axis=0, largest=0)
    _, around_Kb = look.search.query(look.search.bank_KD, count + 1)
    doubtful_E = np.flatnonzero(_doubtful(bank_KD, around_Kb))
    if not len(doubtful_E):
        return measured
    # The list has one row more, that which was measured: it is taken where no other is found.
    count_E = len(doubtful_E)
    rows_E = ops("Where", ops("Equal", doubtful_E, found), np.arange(count_E), np.int64(count_E))
    listed = ops("Cast", _small(around_Kb[doubtful_E, :count]), to=INT64)
    listed = ops("Concat", listed, ops.reshaped(measured, [1, count]), axis=0)
    return ops.reshaped(ops("Gather", listed, ops("ReduceMin", rows_E, keepdims=1)), [-1])


def _small(around_Kb: Array) -> Array:
    return around_Kb.astype(np.uint16 if around_Kb.max() < 1 << 16 else np.int64)  # int64 takes an eighth of a bank


def _doubtful(bank_KD: Array, around_Kb: Array) -> Bools:
    """Of which rows float32 may not tell the last row around from the first one beyond, however it adds up."""
    rows_KD = bank_KD.astype(np.float64)
    last_K, next_K = (((rows_KD - rows_KD[around_Kb[:, i]]) ** 2).sum(axis=1) for i in (-2, -1))
    doubtful_K: Bools = next_K - last_K <= (rows_KD.shape[1] + 3) * 2.0**-23 * next_K
    return doubtful_K
