"""Run a graph on an input that is larger than one call: tile by tile, as if on the whole.

Tiles overlap, and each patch is taken from a tile that shows at least `margin` pixels around it. So all that comes
after sees one grid, as large as the input; what a network sees beyond the margin is what patches at a seam may
differ by (benchmarks/tiling.py measures it).
"""

from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from blemish.arrays import Array, Floats, Ints
from blemish.errors import OptionError
from blemish.features.patches import AnyExtractor, make_extractor
from blemish.images.tiling import Tiling
from blemish.images.transform import Transform
from blemish.system.stream import stream

__all__ = ["Extractors", "TiledExtractor", "extractor_for", "tile_of_cells"]


class Span(NamedTuple):
    """One tile along one side, in pixels of the input: shown from `start`, kept from `first` to before `last`."""

    start: int
    first: int
    last: int


def extractor_for(graph: bytes, transform: Transform, *, provider: str = "cpu", threads: int = 1) -> AnyExtractor:
    """Prepare a graph for the sized images of a model; `threads` work on each. Raises ProviderError."""
    height, width, tiling = transform.height, transform.width, transform.tiling
    if tiling is None:
        return make_extractor(graph, height, width, provider=provider, threads=threads)
    one_tile = make_extractor(graph, *tiling.shape(height, width), provider=provider)
    return TiledExtractor(one_tile, tiling, height, width, threads=threads)


class Extractors:
    """One graph prepared twice: for several images side by side (`shared`), and for one on all threads (`alone`)."""

    def __init__(self, graph: bytes, transform: Transform, provider: str, threads: int) -> None:
        """Raises ProviderError at once, so that a provider that is not there is told before anything is written."""
        self.provider, self.threads = provider, threads
        self.at_once, share = transform.share(threads)
        """How many images `shared` is meant to look at side by side."""
        self.shared = extractor_for(graph, transform, provider=provider, threads=share)
        self._graph, self._transform = graph, transform

    @cached_property
    def alone(self) -> AnyExtractor:
        """Made when the first image comes alone."""
        if self.shared.threads == self.threads:
            return self.shared
        return extractor_for(self._graph, self._transform, provider=self.provider, threads=self.threads)


class TiledExtractor:
    """Answers a sized image with the graph's grids of the whole, made from tiles; memory is that of a few tiles."""

    def __init__(self, extractor: AnyExtractor, tiling: Tiling, height: int, width: int, *, threads: int = 1) -> None:
        """`extractor` takes tiles of `tiling.shape(height, width)`; `threads` tiles are under way at once."""
        self.threads = threads
        self.one_tile = extractor
        self._shape = tiling.shape(height, width)
        self._size = height, width
        self._unit = tiling.unit
        self._tiles = [
            (row, column)
            for row in spans(height, self._shape[0], tiling)
            for column in spans(width, self._shape[1], tiling)
        ]

    def __call__(self, sized: Array) -> dict[str, Floats]:
        """The grids (h, w, d) of one sized image (height, width, 3), by the names of the graph's outputs."""
        grids: dict[str, Floats] = {}
        answers = stream(lambda tile: self.one_tile(self._shown(sized, *tile)), self._tiles, threads=self.threads)
        for (row, column), answer in zip(self._tiles, answers, strict=True):
            for name, part_hwD in answer.items():
                self._check_grid(part_hwD)
                cell = self._shape[0] // part_hwD.shape[0], self._shape[1] // part_hwD.shape[1]
                if name not in grids:
                    grid = self._size[0] // cell[0], self._size[1] // cell[1]
                    grids[name] = np.empty((*grid, part_hwD.shape[2]), np.float32)
                rows, own_rows = _kept(row, cell[0])
                columns, own_columns = _kept(column, cell[1])
                grids[name][rows, columns] = part_hwD[own_rows, own_columns]
        return grids

    def _check_grid(self, part_hwD: Floats) -> None:
        if any(
            side % cells or self._unit % (side // cells)
            for side, cells in zip(self._shape, part_hwD.shape, strict=False)
        ):
            raise OptionError("This method looks at an image as a whole, which tiles cannot show; leave tiles out.")

    def _shown(self, sized: Array, row: Span, column: Span) -> Array:
        height, width = self._shape
        return np.ascontiguousarray(sized[row.start : row.start + height, column.start : column.start + width])


def tile_of_cells(transform: Transform, grid: tuple[int, int]) -> Ints:
    """The number of the tile that each cell of an h x w grid is taken from, row by row (h * w); 0 without tiles."""
    if transform.tiling is None:
        return np.zeros(grid[0] * grid[1], np.int64)
    size, tiling = (transform.height, transform.width), transform.tiling
    sides = zip(size, tiling.shape(*size), grid, strict=True)
    along = [
        np.repeat(
            np.arange(len(tiles := spans(length, side, tiling))),
            [(tile.last - tile.first) * cells // length for tile in tiles],
        )
        for length, side, cells in sides
    ]
    rows_h, columns_w = along
    return np.asarray(rows_h[:, None] * (columns_w[-1] + 1) + columns_w, np.int64).ravel()


def spans(length: int, side: int, tiling: Tiling) -> list[Span]:
    """Lay tiles of `side` along a length, evenly, so that each kept part has the margin around it.

    At the ends of the length there is nothing to keep away from, as there is not for a whole image.
    """
    if length <= side:
        return [Span(0, 0, length)]
    count, unit = tiling.count(length, side), tiling.unit
    starts = [round(number * (length - side) / (count - 1) / unit) * unit for number in range(count)]
    middles = [(start + side + following) // 2 // unit * unit for start, following in pairwise(starts)]
    return [Span(*span) for span in zip(starts, [0, *middles], [*middles, length], strict=True)]


def _kept(span: Span, cell: int) -> tuple[slice, slice]:
    """Cells of the whole grid, and the tile's own that go there."""
    first, last, start = span.first // cell, span.last // cell, span.start // cell
    return slice(first, last), slice(first - start, last - start)
