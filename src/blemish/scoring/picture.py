"""Draw a result over its image, on a colour scale fixed by the model, so that good parts look calm."""

import base64
import io
import math
from dataclasses import dataclass
from html import escape
from typing import Protocol

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from blemish.arrays import Array, Bytes, Floats
from blemish.images.read import Source, read_image
from blemish.images.rules import Rules
from blemish.images.transform import Transform
from blemish.language.numbers import percent
from blemish.result import Region, Result, Verdict
from blemish.scoring.colours import heat_colours
from blemish.scoring.heatmap import WITHIN

__all__ = ["OUTLINE", "UNSEEN", "InspectedImage", "Levels", "captioned", "displayable", "outlined", "overlay"]

FULL, FULL_BEYOND = 1.5, 2.0
"""Full heat: as a multiple of the map threshold, where the map shows distances; of joined looks, whose scale has no
zero, so many deviations of good images above it."""
FAINTEST, STRONGEST = 0.45, 0.75
"""How much of a pixel the heat takes: little shows on grey parts below, and the part shows through above."""
OUTLINE = (0, 210, 255)
BAND = 256
"""Rows coloured at a time: the colours of a large image would take a gigabyte."""
UNSEEN = (128, 128, 128)
PAPER, INK = (255, 255, 255), {Verdict.OK: (40, 122, 62), Verdict.NG: (200, 30, 30), Verdict.REVIEW: (170, 100, 0)}


NOTEBOOK_SIDE = 800
"""Pictures in notebooks are at most so wide and high, since they are stored in the notebook."""


class Levels(Protocol):
    """Where heat begins and where regions do; a calibration has both."""

    @property
    def map_extent(self) -> float: ...
    @property
    def map_threshold(self) -> float: ...


@dataclass(frozen=True, repr=False, eq=False)
class InspectedImage:
    """The pixels that were scored, and how results are drawn over them."""

    source: Source
    """As `images.read.keep` gives it, so that the pixels stay what they were."""
    transform: Transform
    levels: Levels
    rules: Rules
    rise: float = 0.0
    """By how much heat and regions begin higher, where all of the image deviates."""

    def image(self) -> Bytes:
        """The pixels, uint8 RGB (H x W x 3)."""
        return displayable(read_image(self.source, rules=self.rules), self.transform)

    def heat(self, result: Result) -> Bytes:
        """Heat and outlines over them."""
        return overlay(self.image(), result, self.levels, self.rise)

    def overlay(self, result: Result) -> Bytes:
        """The same above a strip that says verdict and score."""
        return captioned(self.heat(result), result)

    def html(self, result: Result) -> str:
        """Picture, score, regions and the nearest good part, for notebooks."""
        rows = "".join(f"<li>{escape(_region_in_words(region))}</li>" for region in result.regions)
        said = [result.score_in_words, f"{percent(result.percentile / 100)} of good images score no higher"]
        if result.nearest:
            said.append(f"the nearest good part is {result.nearest.path}, at distance {result.nearest.distance:.4g}")
        colour = "rgb({}, {}, {})".format(*INK[result.verdict])
        return (
            f'<div><img alt="{result.verdict}" src="{_data_url(self.heat(result))}" style="max-width:100%">'
            f'<p><b style="color:{colour}">{result.verdict}</b> {escape("; ".join(said))}.</p>'
            f"<p>{escape(result.path)}</p><ol>{rows}</ol></div>"
        )


def displayable(image: Array, transform: Transform) -> Bytes:
    """An image as uint8 RGB, H x W x 3; 16-bit and float values through the model's range, unmeasured ones black."""
    if image.dtype != np.uint8:
        scaled = (image.astype(np.float32) - transform.low) / (transform.high - transform.low)
        image = np.rint(np.nan_to_num(np.clip(scaled, 0, 1)) * 255).astype(np.uint8)
    return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)


def overlay(image_HW3: Bytes, result: Result, levels: Levels, rise: float = 0.0) -> Bytes:
    """Heat over the image, magenta to yellow, from where the map passes what nine in ten good parts never do; regions.

    Regions reach to the same level, so their outlines hold the heat of what was found; where all of an image deviates,
    both rise, as `find_regions` has it.
    """
    drawn = image_HW3.copy()
    if result.anomaly_map is not None:
        if rise > 0:
            rise = min(rise, WITHIN * (float(np.nanmax(result.anomaly_map)) - levels.map_extent))
        faint, full = levels.map_extent + rise, _full(result, levels.map_threshold) + rise
        for top in range(0, len(drawn), BAND):
            rows = slice(top, top + BAND)
            drawn[rows] = _heat(drawn[rows], result.anomaly_map[rows], faint, full)
    return outlined(drawn, result.regions)


def _full(result: Result, threshold: float) -> float:
    return FULL * threshold if result.is_distance else threshold + FULL_BEYOND


def captioned(picture_HW3: Bytes, result: Result) -> Bytes:
    """The picture above a strip that says verdict, score, its distance from the threshold and its percentile."""
    height, width = picture_HW3.shape[:2]
    font = ImageFont.load_default(size=float(np.clip(width / 24, 12, 40)))
    phrases = [
        f"{result.verdict} {result.score:.4g}",
        result.from_threshold,
        f"{percent(result.percentile / 100)} of good score no higher",
        *(["no map: the method scores whole images"] if result.anomaly_map is None else []),
    ]
    text = _wrapped(phrases, width, font)
    left, top, right, bottom = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((0, 0), text, font=font)
    strip = round(bottom - top) + 8
    # A picture narrower than a word gets paper beside it, or the word would be cut.
    sheet = Image.new("RGB", (max(width, math.ceil(right - left) + 8), height + strip), PAPER)
    sheet.paste(Image.fromarray(picture_HW3))
    ImageDraw.Draw(sheet).multiline_text((4 - left, height + 4 - top), text, INK[result.verdict], font)
    return np.asarray(sheet)


def _wrapped(phrases: list[str], width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Phrases in as few lines as fit the width; one that is too long alone begins a line and goes on in the next."""
    lines: list[str] = []
    for phrase in phrases:
        whole = font.getlength(phrase) <= width - 8
        for number, word in enumerate([phrase] if whole else phrase.split()):
            longer = f"{lines[-1]}{'   ' if whole else ' '}{word}" if lines else word
            if lines and (whole or number) and font.getlength(longer) <= width - 8:
                lines[-1] = longer
            else:
                lines.append(word)
    return "\n".join(lines)


def _heat(image_HW3: Bytes, map_HW: Floats, faint: float, full: float) -> Bytes:
    """The image with the colours of levels from `faint`, where there is no heat yet, to `full`."""
    seen_HW = np.isfinite(map_HW)
    # Good images that are all alike have a threshold of 0; then whatever deviates is at full heat.
    level_HW = np.clip((np.where(seen_HW, map_HW, faint) - faint) / max(full - faint, 1e-6), 0, 1)
    colours = heat_colours()[np.rint(level_HW * 255).astype(np.uint8)]
    weight = np.where(level_HW > 0, FAINTEST + (STRONGEST - FAINTEST) * level_HW, 0)[:, :, None]
    mixed = image_HW3 * (1 - weight) + colours * weight
    mixed[~seen_HW] = 0.5 * mixed[~seen_HW] + 0.5 * np.array(UNSEEN)
    return np.asarray(np.rint(mixed), np.uint8)


def outlined(image_HW3: Bytes, regions: list[Region]) -> Bytes:
    """The image with its regions outlined."""
    drawn = image_HW3.copy()
    thickness = max(1, round(max(drawn.shape[:2]) / 250))
    for region in regions:
        cv2.polylines(drawn, [np.array(region.outline, np.int32)], True, OUTLINE, thickness, cv2.LINE_AA)
    return drawn


def _region_in_words(region: Region) -> str:
    """One region: where it is, how large, how high, and the good part nearest to it."""
    box = region.box
    near = f"; nearest good part: {region.nearest[0].path}" if region.nearest else ""
    return f"{box.width} x {box.height} pixels at x {box.x}, y {box.y}: score {region.score:.4g}{near}"


def _data_url(picture_HW3: Bytes) -> str:
    """A picture for a page, shrunk to what a notebook shows."""
    image = Image.fromarray(picture_HW3)
    image.thumbnail((NOTEBOOK_SIDE, NOTEBOOK_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
