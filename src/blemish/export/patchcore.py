"""PatchCore as operators, behind the graph that answers patches: search, map and score of all looks."""

import numpy as np

from blemish.errors import OptionError
from blemish.export.around import rows_around
from blemish.export.maps import Drawing, drawn, joined, largest, mean_drawn, scaled
from blemish.export.nearest import float_rows, nearest_rows
from blemish.export.operators import DOUBLE, FLOAT, INT64, Operators, numbers
from blemish.export.tail import Grids, Tail
from blemish.features.looks import grid_names
from blemish.methods.look import Look
from blemish.methods.patchcore import PatchCore
from blemish.scoring.score import ring_of_cells

__all__ = ["patchcore_tail"]


def patchcore_tail(ops: Operators, method: PatchCore, grids: Grids) -> Tail:
    """All that `PatchCore.score` does. Raises OptionError for a search that has no operators."""
    _check(method)
    size = method.transform.height, method.transform.width
    # Where looks are joined, their maps are half as large until then.
    part = 2 if len(method.looks) > 1 else 1
    small = size[0] // part, size[1] // part
    maps, counted, answers = [], [], []
    for look, name in zip(method.looks, grid_names(len(method.looks)), strict=True):
        grid = grids.shapes[name][:2]
        queries = ops.reshaped(name, [grid[0] * grid[1], grids.shapes[name][2]])
        found, distances = nearest_rows(ops, queries, grid[0] * grid[1], look.bank.rows_KD)
        scores = _without_edges(ops, look, distances, grid)
        answers.append((queries, found, distances, scores))
        cells = ops("Gather", scores, grids.cells(grid))
        drawing = Drawing.of(grid, small, method.settings.sigma * look.reduction / part)
        one = drawn(ops, cells, drawing)
        maps.append(scaled(ops, one, look.scale))
        if look.bank.scale_K is not None:
            of_rows = ops("Div", scores, ops("Gather", look.bank.scale_K, found))
            cells = ops("Gather", of_rows, grids.cells(grid))
            one = drawn(ops, cells, drawing)
        counted.append((look, one, cells, drawing))
    first = grids.shapes[grid_names(len(method.looks))[0]][:2]
    queries, found, distances, scores = answers[0]
    nearest = ops.reshaped(found, first), ops.reshaped(distances, first)
    if method.settings.looks:
        rule = method.settings.join
        said = [_said_of_image(ops, *each) for each in counted]
        score = joined(ops, said, [look.weight for look in method.looks], rule)
        half = joined(ops, maps, [look.map_weight for look in method.looks], rule)
        return Tail(score, drawn(ops, half, Drawing.of(small, size, 0)), *nearest)
    if method.settings.image_score == "peak":
        return Tail(largest(ops, maps[0]), maps[0], *nearest)
    seen = grids.seen(ops, first)
    of_cells = ops("Where", seen, scores, np.float32(-1))
    score = _image_score(ops, method, of_cells, seen, queries, found, first[0] * first[1])
    return Tail(score, maps[0], *nearest)


def _said_of_image(ops: Operators, look: Look, one: str, cells: str, drawing: Drawing) -> str:
    """What the map of one look says of the image (`map_score`), on its scale."""
    said = largest(ops, one)
    if look.overall:
        said = ops("Add", said, ops("Mul", mean_drawn(ops, cells, drawing), np.float32(look.overall)))
    return scaled(ops, said, look.peak_scale)


def _check(method: PatchCore) -> None:
    if method.settings.search != "exact":
        raise OptionError("A model with approximate search cannot be exported: it needs faiss. Fit with search=exact.")
    if any(look.per_tile for look in method.looks):
        raise OptionError("A model with a bank for each tile cannot be exported; fit it with tile_banks=one.")


def _without_edges(ops: Operators, look: Look, distances: str, grid: tuple[int, int]) -> str:
    """Distances along the edges brought to the scale of the middle."""
    if (look.edges_R == 1).all():
        return distances
    return ops("Div", distances, look.edges_R[ring_of_cells(grid)].ravel().astype(np.float32))


def _image_score(
    ops: Operators, method: PatchCore, scores: str, seen: str, queries: str, found: str, cells: int
) -> str:
    """Another number than the peak of the map, from the patches that count; the others' scores are -1."""
    settings, look = method.settings, method.looks[0]
    if settings.image_score == "top":
        return _top_mean(ops, scores, seen, settings.top, cells)
    if settings.image_score == "max" or len(look.bank.rows_KD) == 1:
        return largest(ops, scores)
    return _reweighted(ops, look, settings.neighbours, scores, queries, found)


def _top_mean(ops: Operators, scores: str, seen: str, share: float, cells: int) -> str:
    """The mean of the largest `share` of the scores; how many those are was rounded here, for every possible count."""
    how_many = ops("ReduceSum", ops("Cast", seen, to=INT64), numbers(0), keepdims=1)
    counts = np.array([max(1, round(share * count)) for count in range(cells + 1)], np.int64)
    count = ops("Gather", counts, how_many)
    top, _ = ops.two("TopK", scores, count, axis=0)
    return ops("Div", ops("ReduceSum", top, numbers(0), keepdims=1), ops("Cast", count, to=FLOAT))


def _reweighted(ops: Operators, look: Look, neighbours: int, scores: str, queries: str, found: str) -> str:
    """Equation 7, over the rows around the row of the bank that is nearest to the farthest patch."""
    bank = float_rows(ops, look.bank.rows_KD)
    farthest = ops("ArgMax", scores, axis=0, keepdims=1)
    around = rows_around(ops, look, neighbours, bank, ops("Gather", found, farthest))
    rows = ops("Gather", bank, around)
    to_rows = ops.length(
        ops("Sub", *(ops("Cast", each, to=DOUBLE) for each in (rows, ops("Gather", queries, farthest))))
    )
    distance = ops("Cast", ops("Gather", scores, farthest), to=DOUBLE)
    shift = ops("ReduceMax", to_rows, keepdims=1)
    near, all_near = (ops("Exp", ops("Sub", each, shift)) for each in (distance, to_rows))
    share = ops("Div", near, ops("ReduceSum", all_near, numbers(0), keepdims=1))
    return ops("Cast", ops("Mul", ops("Sub", np.ones(1), share), distance), to=FLOAT)
