"""Draw a result over its image, on a colour scale fixed by the model, so that good parts look calm."""

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from blemish.arrays import Array, Bytes, Floats
from blemish.calibration.thresholds import Calibration
from blemish.images.transform import Transform
from blemish.result import Region, Result, Verdict

__all__ = ["OUTLINE", "UNSEEN", "captioned", "displayable", "outlined", "overlay"]

FULL = 1.5
"""So many times the map threshold is full heat."""
YELLOW, RED = np.array([255, 220, 0]), np.array([230, 0, 0])
OUTLINE = (0, 210, 255)
BAND = 256
"""Rows coloured at a time: the colours of a large image would take a gigabyte."""
UNSEEN = (128, 128, 128)
PAPER, INK = (255, 255, 255), {Verdict.OK: (40, 122, 62), Verdict.NG: (200, 30, 30), Verdict.REVIEW: (170, 100, 0)}


def displayable(image: Array, transform: Transform) -> Bytes:
    """An image as uint8 RGB, H x W x 3; 16-bit and float values through the model's range."""
    if image.dtype != np.uint8:
        scaled = (image.astype(np.float32) - transform.low) / (transform.high - transform.low)
        image = np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)


def overlay(image_HW3: Bytes, result: Result, calibration: Calibration) -> Bytes:
    """Heat over the image, yellow to red, from where the map passes what nine in ten good parts never do; and regions.

    Regions reach to the same level, so their outlines hold the heat of what was found.
    """
    drawn = image_HW3.copy()
    if result.anomaly_map is not None:
        for top in range(0, len(drawn), BAND):
            rows = slice(top, top + BAND)
            drawn[rows] = _heat(drawn[rows], result.anomaly_map[rows], calibration)
    return outlined(drawn, result.regions)


def captioned(picture_HW3: Bytes, result: Result) -> Bytes:
    """The picture above a strip that says verdict, score, its multiple of the threshold and its percentile."""
    height, width = picture_HW3.shape[:2]
    font = ImageFont.load_default(size=float(np.clip(width / 24, 12, 40)))
    phrases = [
        f"{result.verdict} {result.score:.4g}",
        f"{result.times_threshold:.2f} x threshold",
        f"{result.percentile:.4g} % of good are no higher",
    ]
    text = _wrapped(phrases, width, font)
    left, top, _, bottom = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((0, 0), text, font=font)
    strip = round(bottom - top) + 8
    sheet = Image.new("RGB", (width, height + strip), PAPER)
    sheet.paste(Image.fromarray(picture_HW3))
    ImageDraw.Draw(sheet).multiline_text((4 - left, height + 4 - top), text, INK[result.verdict], font)
    return np.asarray(sheet)


def _wrapped(phrases: list[str], width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Phrases in as few lines as fit the width; one that is too long alone has a line of its own."""
    lines = [phrases[0]]
    for phrase in phrases[1:]:
        longer = f"{lines[-1]}   {phrase}"
        if font.getlength(longer) <= width - 8:
            lines[-1] = longer
        else:
            lines.append(phrase)
    return "\n".join(lines)


def _heat(image_HW3: Bytes, map_HW: Floats, calibration: Calibration) -> Bytes:
    seen_HW = np.isfinite(map_HW)
    faint, full = calibration.map_extent, FULL * calibration.map_threshold
    # Good images that are all alike have a threshold of 0; then whatever deviates is at full heat.
    level = np.clip((np.where(seen_HW, map_HW, 0) - faint) / max(full - faint, 1e-6), 0, 1)[:, :, None]
    colours = YELLOW * (1 - level) + RED * level
    weight = 0.65 * np.sqrt(level)
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
