"""Made surfaces: each product is a recipe of layers, from which each of its images is drawn anew.

They stand in for good images of many products, so that a network could be adapted once for all of them: grain, brushed
metal, cells, stripes, grids, dots, bars and a part on its background, under uneven light, with noise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from blemish.arrays import Array, Doubles, Floats

__all__ = ["Product"]

Random: TypeAlias = np.random.Generator
Shape: TypeAlias = tuple[int, int]
"""Height and width."""

LIGHT = 2.0
"""What a mark adds to the ground of its layer."""
ROUND = 9
"""A polygon with more sides is drawn as a circle."""


@dataclass(frozen=True)
class Layer:
    """One layer of a recipe; each kind reads some of the numbers."""

    kind: str
    fall: float
    """How fast finer grain grows weaker."""
    stretch: float
    """By how much grain is finer across than along."""
    coarsest: int
    """Grains of the coarsest octave along a side."""
    places: int
    """Cells of a mosaic."""
    border: float
    """Pixels between them."""
    period: float
    angle: float
    wave: int
    turns: bool
    """Whether the part lies at any angle."""
    amplitude: float
    bend: float
    """Pixels by which the layer is bent."""
    sides: int
    size: float
    """Radius of the part, as a share of the height."""

    @classmethod
    def recipe(cls, random: Random) -> "Layer":
        return cls(
            kind=str(random.choice(KINDS)),
            fall=random.uniform(0, 1.2),
            stretch=float(2 ** random.uniform(-4, 4)),
            coarsest=int(2 ** random.integers(1, 6)),
            places=int(2 ** random.uniform(3, 8)),
            border=float(random.choice([0, 0.7, 1.5, 3])),
            period=float(2 ** random.uniform(2, 6)),
            angle=float(random.choice([0, np.pi / 2, random.uniform(0, np.pi)])),
            wave=int(random.integers(6)),
            turns=bool(random.choice([0, 0, 1])),
            amplitude=float(np.exp(random.uniform(-2, 0))),
            bend=float(random.choice([0, 0, 1, 4])),
            sides=int(random.integers(3, 13)),
            size=random.uniform(0.2, 0.48),
        )

    def draw(self, shape: Shape, random: Random) -> Floats:
        """The layer of one image."""
        drawn_HW = DRAWN[self.kind](self, shape, random)
        return self.amplitude * (_bent(drawn_HW, self.bend, random) if self.bend else drawn_HW)


class Product:
    """A recipe: layers, and how they are lit, coloured and photographed."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.layers: Sequence[Layer] = [Layer.recipe(random) for _ in range(random.integers(1, 4))]
        self.brightness = random.uniform(0.2, 0.8)
        self.contrast, self.noise = (float(np.exp(random.uniform(*np.log(ends)))) for ends in (CONTRAST, NOISE))
        self.blur = float(random.choice([0, 0, 0.6, 1.2]))
        self.light = random.uniform(0, 0.25)
        self.tint_23: Doubles = random.normal(0, 0.12, (2, 3)) if random.random() < 0.4 else np.zeros((2, 3))
        """Colour of the ground, and of what stands out of it; 0 for grey."""
        self.varies = random.uniform(0, 0.08)

    def image(self, shape: Shape, seed: int) -> Array:
        """One image of the product, (H, W, 3), uint8."""
        random = np.random.default_rng(seed)
        texture_HW = _standard(np.sum([layer.draw(shape, random) for layer in self.layers], axis=0))
        uneven_HW = self.light * _grain(shape, random, fall=2.0)
        ground = self.brightness + 0.5 * random.normal(0, self.varies)
        grey_HW = ground + self.contrast * (texture_HW + uneven_HW)
        standing_HW3 = 3 * self.contrast * texture_HW[..., None] * self.tint_23[1]
        image_HW3 = grey_HW[..., None] + self.tint_23[0] + standing_HW3
        if self.blur:
            image_HW3 = cv2.GaussianBlur(image_HW3, (0, 0), self.blur).astype(np.float64)
        image_HW3 = image_HW3 + random.normal(0, self.noise, (*shape, 3 if self.tint_23.any() else 1))
        return np.asarray(np.clip(np.rint(255 * image_HW3), 0, 255), np.uint8)


CONTRAST, NOISE = (0.04, 0.3), (0.003, 0.04)
"""Deviations, of the brightest code."""


def _standard(values_HW: Floats) -> Floats:
    return np.asarray((values_HW - values_HW.mean()) / (values_HW.std() + 1e-6), np.float32)


def _smooth(coarse_hw: Doubles, shape: Shape) -> Floats:
    sized_HW = cv2.resize(coarse_hw.astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(sized_HW, np.float32)


def _grain(shape: Shape, random: Random, *, fall: float, stretch: float = 1.0, coarsest: int = 2) -> Floats:
    """Smooth noise of all sizes, each octave half as large as the one before and weaker by `fall`."""
    grain_HW, grains = np.zeros(shape, np.float32), coarsest
    while grains < max(shape):
        rows, columns = min(max(2, grains), shape[0]), min(max(2, int(grains * stretch)), shape[1])
        grain_HW += _smooth(random.normal(0, 1, (rows, columns)), shape) * np.float32(grains**-fall)
        grains *= 2
    return _standard(grain_HW)


def _bent(drawn_HW: Floats, pixels: float, random: Random) -> Floats:
    """The layer, bent smoothly by so many pixels or so."""
    y_HW, x_HW = np.mgrid[: drawn_HW.shape[0], : drawn_HW.shape[1]].astype(np.float32)
    shape = (drawn_HW.shape[0], drawn_HW.shape[1])
    dx_HW, dy_HW = (np.float32(pixels) * _smooth(random.normal(0, 1, (4, 4)), shape) for _ in range(2))
    bent_HW = cv2.remap(drawn_HW, x_HW + dx_HW, y_HW + dy_HW, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(bent_HW, np.float32)


def _plain_grain(layer: Layer, shape: Shape, random: Random) -> Floats:
    return _grain(shape, random, fall=layer.fall, coarsest=layer.coarsest)


def _brushed(layer: Layer, shape: Shape, random: Random) -> Floats:
    return _grain(shape, random, fall=layer.fall, stretch=layer.stretch, coarsest=layer.coarsest)


def _mosaic(layer: Layer, shape: Shape, random: Random) -> Floats:
    """Cells around random places, each of one tone, with a dark border; drawn at half size."""
    at_P2 = random.uniform(0, shape, (layer.places, 2))
    y_hw, x_hw = np.mgrid[: shape[0] : 2, : shape[1] : 2]
    away_hwP = np.hypot(y_hw[..., None] - at_P2[:, 0], x_hw[..., None] - at_P2[:, 1])
    tones_hw = random.normal(0, 1, layer.places)[away_hwP.argmin(axis=-1)].astype(np.float32)
    two_hwP = np.partition(away_hwP, 1, axis=-1)
    border_hw = (two_hwP[..., 1] - two_hwP[..., 0] < layer.border).astype(np.float32)
    tones_HW = cv2.resize(tones_hw, shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.GaussianBlur(tones_HW, (0, 0), 0.8) - LIGHT * cv2.resize(border_hw, shape[::-1]), np.float32)


def _waves(layer: Layer, shape: Shape, random: Random) -> Floats:
    """A pattern with a period: waves, stripes, a grid, bumps, dots, or a basket."""
    y_HW, x_HW = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    angle, (right, down) = layer.angle + random.normal(0, 0.01), random.uniform(0, 1, 2)
    u_HW = (x_HW * np.cos(angle) + y_HW * np.sin(angle)) / layer.period + right
    v_HW = (y_HW * np.cos(angle) - x_HW * np.sin(angle)) / layer.period + down
    return np.asarray(PATTERNS[layer.wave](u_HW, v_HW), np.float32)


def _bars(layer: Layer, shape: Shape, random: Random) -> Floats:
    """Some bright bars, five pixels wide, evenly across or down the image, each a little off its place."""
    drawn_HW = np.zeros(shape, np.float32)
    lines_HW = drawn_HW if layer.wave % 2 else drawn_HW.T
    for share in np.linspace(0, 1, layer.sides // 2 + 2)[1:-1]:
        middle = int(share * len(lines_HW) + random.normal(0, 1))
        lines_HW[max(0, middle - 2) : middle + 3] = LIGHT
    return drawn_HW


def _part(layer: Layer, shape: Shape, random: Random) -> Floats:
    """A polygon or a disc in the middle, a little off its place, with grain of its own."""
    turn = layer.turns * random.uniform(0, 6)
    angles = np.linspace(0, 2 * np.pi, layer.sides, endpoint=False) + turn
    middle = np.array([shape[1] / 2, shape[0] / 2]) + random.normal(0, 3, 2)
    radius, drawn_HW = layer.size * shape[0], np.zeros(shape, np.float32)
    if layer.sides > ROUND:
        cv2.circle(drawn_HW, (int(middle[0]), int(middle[1])), int(radius), LIGHT, thickness=-1)
    else:
        corners = middle + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        cv2.fillPoly(drawn_HW, [np.rint(corners).astype(np.int32)], LIGHT)
    return np.asarray(drawn_HW * (1 + np.float32(0.3) * _grain(shape, random, fall=1.0)))


PATTERNS: list[Callable[[Floats, Floats], Array]] = [
    lambda u, v: np.sin(2 * np.pi * u),
    lambda u, v: LIGHT * (u % 1 < 0.12),
    lambda u, v: LIGHT * ((u % 1 < 0.1) | (v % 1 < 0.1)),
    lambda u, v: 1.5 * np.sin(2 * np.pi * u) * np.sin(2 * np.pi * v),
    lambda u, v: LIGHT * ((u % 1 - 0.5) ** 2 + (v % 1 - 0.5) ** 2 < 0.08),
    lambda u, v: np.where((np.floor(u) + np.floor(v)) % 2 > 0, np.sin(6 * np.pi * u), np.sin(6 * np.pi * v)),
]
DRAWN: dict[str, Callable[[Layer, Shape, Random], Floats]] = {
    "grain": _plain_grain,
    "brushed": _brushed,
    "mosaic": _mosaic,
    "waves": _waves,
    "part": _part,
    "bars": _bars,
}
KINDS = ["grain", "brushed", "mosaic", "waves", "waves", "part", "bars"]
"""Patterns with a period are so many that they come twice as often."""
