"""What an export says of itself, as JSON: all that a reader needs beside the graph (docs/export.md)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from blemish.export.lighter import Precision
from blemish.images.places import Places
from blemish.images.transform import Transform

__all__ = ["DEVIATIONS", "DISTANCE", "FORMAT", "CellsInput", "Document", "GoodImage", "Licence", "Memory", "Thresholds"]

FORMAT = 1

DISTANCE = "distance in the network's feature space; it has no physical unit"
DEVIATIONS = "standard deviations among good images, joined over looks"
"""What scores count."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CellsInput(_Part):
    """One input of the graph that says which cells of a grid count."""

    name: str
    rows: int
    columns: int


class Thresholds(_Part):
    """Where good ends."""

    threshold: float
    """Scores above it are NG."""
    review_threshold: float
    """Scores above it, up to `threshold`, are REVIEW."""
    map_threshold: float
    """Regions begin where the map is above it."""
    map_extent: float
    """They reach as far as the map is above this."""
    map_floor: float | None
    """Where the map of an image is above it even at its calmest, regions end higher by `rise` times as much."""
    rise: float


class GoodImage(_Part):
    """A good image that the memory's rows were seen in."""

    path: str
    height: int
    width: int


class Memory(_Part):
    """Where each row of the memory was seen: the output `nearest` counts these rows."""

    images: list[GoodImage]
    image: list[int]
    """For each row, its image's place in `images`."""
    cell: list[int]
    """For each row, its place (row * columns + column) on the first grid of that image."""


class Licence(_Part):
    """A network inside the graph, and whose it is."""

    network: str
    source: str
    licence: str


class Document(_Part):
    """The text under the key `blemish` of the ONNX metadata, and of the file beside."""

    format: Literal[1] = 1
    blemish: str
    """The version that made it."""
    model: str
    """The digest of the model file it was made from."""
    method: str
    created: str
    """When that model was fitted; UTC, ISO 8601."""
    opset: int
    precision: Precision = "float32"
    """Of the weights in the file; the graph computes in float32."""
    input: Transform
    """From decoded pixels to the input `image`."""
    resizes: bool = False
    """Whether `image` is the decoded picture at its own size, and the graph resizes it."""
    pillow: str
    """The version of Pillow that resized on export: from 13 on it may begin with the columns (docs/export.md)."""
    cells: list[CellsInput]
    """Its other inputs."""
    grid: tuple[int, int]
    """Rows and columns of the first grid."""
    only_cells: list[int] | None
    """The only cells of that grid that an image may show, where the method compares place by place. None: any."""
    places: Places | None
    """Where to look; None: everywhere."""
    thresholds: Thresholds
    unit: str
    """What scores count: DISTANCE or DEVIATIONS."""
    good_scores: list[float]
    """What good images score by a memory without them, ascending."""
    memory: Memory | None
    max_pixels: int
    max_side: int
    """Larger images are refused."""
    nodata: float | Literal["auto"]
    """The value of float pixels that were not measured."""
    end: float | None
    measured: float | None
    """What good images lack themselves (docs/images.md)."""
    licences: list[Licence]
    notice: str
    """The text that has to go with the networks."""
