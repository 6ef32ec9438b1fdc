"""The nearest row of a bank as operators: products say which row, differences how far.

|q - b|^2 = |q|^2 - 2 (q b - |b|^2 / 2) is smallest where q b - |b|^2 / 2 is largest. Where q and b are long and near,
that product has no digits left for their distance; so it only chooses the row, and the distance is measured anew as the
length of q - b. Both are taken about the bank's mean, which keeps them short.
"""

import numpy as np

from blemish.arrays import Array, Floats
from blemish.export.operators import FLOAT, Operators, numbers

__all__ = ["CHUNK", "float_rows", "nearest_rows"]

CHUNK = 4096
"""Rows that are compared at once: all products of a large bank would take more memory than the model."""
GROUP = 64
"""Rows of which first the largest product alone is asked. Which one it is takes OpenVINO long: for a bank of 2,048 rows
half as long as the products themselves."""
NEVER = -3e38
"""The product of a row that is none: no other is smaller."""


def nearest_rows(ops: Operators, queries: str, count: int, bank_KD: Array) -> tuple[str, str]:
    """Of each of `count` queries (Q, d) the number of its nearest row (Q; int64) and the distance (Q; float32)."""
    bank = float_rows(ops, bank_KD)
    mean_D: Floats = bank_KD.mean(axis=0, dtype=np.float64).astype(np.float32)
    about = ops("Sub", queries, mean_D)
    with_one = ops("Pad", about, numbers(0, 0, 0, 1), np.float32(1))
    starts = range(0, len(bank_KD), CHUNK)
    parts = [(start, min(start + CHUNK, len(bank_KD))) for start in starts]
    whole = len(parts) == 1
    answers = [_of_chunk(ops, queries, with_one, count, bank, mean_D, part, whole=whole) for part in parts]
    if len(answers) == 1:
        return answers[0]
    found, distances = (ops("Concat", *(ops.reshaped(each[i], [-1, 1]) for each in answers), axis=1) for i in (0, 1))
    best = ops("ArgMin", distances, axis=1)
    chosen = [ops.reshaped(ops("GatherElements", each, best, axis=1), [-1]) for each in (found, distances)]
    return chosen[0], chosen[1]


def float_rows(ops: Operators, bank_KD: Array) -> str:
    """The rows of a bank in float32; in the file they lie as the model keeps them."""
    rows = ops.memory(np.asarray(bank_KD))
    return rows if bank_KD.dtype == np.float32 else ops("Cast", rows, to=FLOAT)


def _of_chunk(
    ops: Operators,
    queries: str,
    with_one: str,
    count: int,
    bank: str,
    mean_D: Floats,
    part: tuple[int, int],
    *,
    whole: bool,
) -> tuple[str, str]:
    """The nearest row among those of one part of the bank; all but the products is computed once, on loading."""
    rows = bank if whole else ops("Slice", bank, numbers(part[0]), numbers(part[1]), numbers(0))
    about = ops("Sub", rows, mean_D)
    squares = ops("ReduceSum", ops("Mul", about, about), numbers(1), keepdims=1)
    with_squares = ops("Concat", about, ops("Mul", squares, np.float32(-0.5)), axis=1)
    if missing := -(part[1] - part[0]) % GROUP:
        none_PD = np.zeros((missing, len(mean_D) + 1), np.float32)
        none_PD[:, -1] = NEVER
        with_squares = ops("Concat", with_squares, none_PD, axis=0)
    columns = ops("Transpose", with_squares, perm=[1, 0])
    found = _largest(ops, ops("MatMul", with_one, columns), count, part[1] - part[0] + missing)
    distance = ops.length(ops("Sub", queries, ops("Gather", rows, found)))
    return (ops("Add", found, numbers(part[0])) if part[0] else found), distance


def _largest(ops: Operators, products: str, count: int, rows: int) -> str:
    """Where the first largest number of each row of the products (count, rows) stands: its group, then its place."""
    groups, shape = rows // GROUP, [1, GROUP]
    pooled = ops("MaxPool", ops.reshaped(products, [1, count, 1, rows]), kernel_shape=shape, strides=shape)
    group = ops("ArgMax", ops.reshaped(pooled, [count, groups]), axis=1, keepdims=0)
    first = ops("Range", np.int64(0), np.int64(count * groups), np.int64(groups))
    number = ops("Add", group, first)
    place = ops("ArgMax", ops("Gather", ops.reshaped(products, [count * groups, GROUP]), number), axis=1, keepdims=0)
    return ops("Add", ops("Mul", group, numbers(GROUP)), place)
