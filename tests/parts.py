"""Draws parts as a camera sees them: a brushed plate with a ring, wider than high, good or with a defect."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from blemish.arrays import Array, Bytes
from blemish.detector import Detector
from blemish.memory.bank import Bank
from blemish.methods.patchcore import PatchCore
from blemish.result import Box

HEIGHT, WIDTH = 96, 144
TINY: dict[str, Any] = {"size": 96, "coreset": 60}
"""Settings that fit a handful of parts in a second."""


@dataclass(frozen=True)
class Part:
    """A drawn part (grey, height x width); `defect` is where it deviates."""

    grey: Bytes
    defect: Box


def good_part(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Bytes:
    """Brushed grain along x, light that falls off, and a ring in the middle that sits a pixel off now and then."""
    random = np.random.default_rng(seed)
    noise = random.normal(0, 40, (height, width)).astype(np.float32)
    grain = cv2.GaussianBlur(noise, (0, 0), 3, sigmaY=0.6)
    light = np.linspace(105, 120, width, dtype=np.float32)
    plate = np.clip(light + grain, 0, 255).astype(np.uint8)
    centre = width // 2 + int(random.integers(-1, 2)), height // 2 + int(random.integers(-1, 2))
    cv2.circle(plate, centre, height // 4, 60, 5, cv2.LINE_AA)
    return np.asarray(plate, np.uint8)


def scratched_part(seed: int) -> Part:
    """A bright scratch in the upper right corner."""
    plate = good_part(seed)
    cv2.line(plate, (112, 10), (134, 30), 235, 2, cv2.LINE_AA)
    return Part(plate, Box(112, 10, 23, 21))


def stained_part(seed: int) -> Part:
    """A dark stain in the lower left corner."""
    plate = good_part(seed)
    cv2.circle(plate, (20, 76), 8, 20, -1, cv2.LINE_AA)
    return Part(plate, Box(12, 68, 17, 17))


def save_parts_with_blotches(folder: Path) -> Path:
    """Write 76 good parts, and four that are rough in one place, which hide each other; the folder."""
    for seed in range(100, 104):
        plate = good_part(seed).astype(np.float32)
        noise = np.random.default_rng(seed + 1000).normal(0, 120, (40, 40)).astype(np.float32)
        plate[50:90, 6:46] += cv2.GaussianBlur(noise, (0, 0), 1.5)
        save_image(folder / f"rough{seed}.png", np.clip(plate, 0, 255).astype(np.uint8))
    return save_good_parts(folder, 76)


def torn_part(seed: int) -> Bytes:
    """A good part whose last rows hold one value, as a camera leaves them: for review, though its score is good."""
    plate = good_part(seed).copy()
    plate[-4:] = int(plate[-4:].mean())
    return plate


def bank_of(detector: Detector) -> Bank:
    """The memory bank of a PatchCore detector."""
    assert isinstance(detector.model.method, PatchCore)
    return detector.model.method.looks[0].bank


def save_defective(root: Path, kind: str, name: str, part: Part) -> None:
    """Write a defective part and its mask to test, in MVTec AD's layout."""
    mask, box = np.zeros_like(part.grey), part.defect
    mask[box.y : box.y + box.height, box.x : box.x + box.width] = 255
    save_image(root / f"test/{kind}/{name}.png", part.grey)
    save_image(root / f"ground_truth/{kind}/{name}_mask.png", mask)


def save_good_parts(folder: Path, count: int, height: int = HEIGHT, width: int = WIDTH) -> Path:
    """Write good parts of the seeds from 0 on; the folder."""
    for seed in range(count):
        save_image(folder / f"{seed:03}.png", good_part(seed, height, width))
    return folder


def save_image(path: Path, pixels: Array) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path
