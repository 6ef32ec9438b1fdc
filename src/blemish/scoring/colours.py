"""The colours of heat: even steps to the eye, the hottest lightest, and all far from grey, as most parts are."""

from functools import cache

import cv2
import numpy as np

from blemish.arrays import Bytes

__all__ = ["heat_colours"]

STOPS = ((45.0, 86.0, 330.0), (58.0, 79.0, 390.0), (75.0, 68.0, 430.0), (93.0, 86.0, 465.0))
"""Magenta, red, orange, yellow, evenly spaced: lightness, chroma and hue (degrees) in CIELAB, each within sRGB.

Lightness rises evenly with the level, so that who sees few colours, or a grey print, still sees what is hotter.
"""

LEVELS = 256


@cache
def heat_colours() -> Bytes:
    """The colours from the faintest heat to the highest (256 x 3, uint8 sRGB)."""
    place = np.linspace(0, len(STOPS) - 1, LEVELS)
    lightness, chroma, hue = (np.interp(place, np.arange(len(STOPS)), values) for values in zip(*STOPS, strict=True))
    turn = np.radians(hue)
    lab = np.stack([lightness, chroma * np.cos(turn), chroma * np.sin(turn)], axis=1).astype(np.float32)
    rgb = cv2.cvtColor(lab[None], cv2.COLOR_Lab2RGB)[0]
    colours = np.asarray(np.rint(255 * np.clip(rgb, 0, 1)), np.uint8)
    colours.setflags(write=False)
    return colours
