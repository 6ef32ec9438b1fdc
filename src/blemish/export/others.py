"""PaDiM and 1-NN as operators, behind the graph that answers their grids."""

import numpy as np

from blemish.arrays import Array
from blemish.export.cells import sources_of
from blemish.export.maps import Drawing, drawn, largest
from blemish.export.nearest import nearest_rows
from blemish.export.operators import DOUBLE, FLOAT, Operators, numbers
from blemish.export.tail import Grids, Tail
from blemish.kernels.gaussians import strips
from blemish.methods.nearest_image import NearestImage
from blemish.methods.padim import PaDiM

__all__ = ["known_cells", "nearest_image_tail", "padim_tail"]


def padim_tail(ops: Operators, method: PaDiM, grids: Grids) -> Tail:
    """All that `PaDiM.score` does for an image that shows the places it knows."""
    height, width, dimension = grids.shapes["patches"]
    queries = ops.reshaped("patches", [height * width, dimension])
    difference = ops("Sub", ops("Gather", queries, method.cell_P), method.mean_PD)
    places = len(method.cell_P)
    squares, start = [], 0
    for rows, columns in strips(dimension):
        factor = method.factor_PF[:, start : start + rows * columns].reshape(places, rows, columns)
        part = ops.reshaped(ops("Slice", difference, numbers(0), numbers(columns), numbers(1)), [places, columns, 1])
        whitened = ops.reshaped(ops("MatMul", ops.memory(factor), part), [places, rows])
        squares.append(ops("ReduceSum", ops("Mul", whitened, whitened), numbers(1), keepdims=0))
        start += rows * columns
    lengths = ops("Sqrt", squares[0] if len(squares) == 1 else ops("Sum", *squares))
    place_of = np.zeros(height * width, np.int64)
    place_of[method.cell_P] = np.arange(places)
    shown = place_of[sources_of(known_cells(method, (height, width)))]
    transform = method.transform
    size = transform.height, transform.width
    map_HW = drawn(ops, ops("Gather", lengths, shown), Drawing.of((height, width), size, method.settings.sigma))
    return Tail(largest(ops, map_HW), map_HW)


def known_cells(method: PaDiM, grid: tuple[int, int]) -> Array:
    """The places (h x w) that a PaDiM knows."""
    known_hw = np.zeros(grid, np.bool_)
    known_hw.flat[method.cell_P] = True
    return known_hw


def nearest_image_tail(ops: Operators, method: NearestImage, grids: Grids) -> Tail:
    """All that `NearestImage.score` does."""
    pooled = []
    for name, (height, width, dimension) in grids.shapes.items():
        weights = ops("Cast", grids.seen(ops, (height, width)), to=DOUBLE)
        patches = ops("Cast", ops.reshaped(name, [height * width, dimension]), to=DOUBLE)
        total = ops("MatMul", ops.reshaped(weights, [1, -1]), patches)
        pooled.append(ops("Div", total, ops("ReduceSum", weights, numbers(0), keepdims=1)))
    vector = pooled[0] if len(pooled) == 1 else ops("Concat", *pooled, axis=1)
    vector = ops("Cast", ops("Cast", vector, to=FLOAT), to=DOUBLE)
    query = ops("Cast", ops("Div", ops("Sub", vector, method.mean_D), method.deviation_D), to=FLOAT)
    found, distance = nearest_rows(ops, query, 1, method.rows_KD)
    return Tail(distance, None, ops.reshaped(found, [1, 1]), ops.reshaped(distance, [1, 1]))
