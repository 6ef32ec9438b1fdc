"""What export_agreement.py fits on and inspects: data sets of real parts, and forty odd images."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from parts import TINY, bank_of, good_part, save_image, scratched_part, stained_part, torn_part
from PIL import Image

from blemish.arrays import Array
from blemish.data.protocols.solar_cells import solar_cells
from blemish.detector import Detector
from blemish.errors import DataError
from blemish.fitting import fit
from blemish.methods.patchcore import PatchCore

QUICK: dict[str, Any] = {"effort": "quick", "coreset": 1000}
STANDARD: dict[str, Any] = {"effort": "standard", "coreset": 1000}


class Case(NamedTuple):
    """A model, and all that is inspected."""

    name: str
    detector: Detector
    images: Sequence[Path]


def data_sets(data: Path) -> dict[str, tuple[Sequence[Path], Sequence[Path]]]:
    """Good images to fit on and all images, by name; solar cells where the package elpv-dataset is installed."""
    tiles = sorted((data / "mtd").glob("MT_*/Imgs/*.jpg"))
    steel, frames = data / "bsd", data / "ped2"
    found: dict[str, tuple[Sequence[Path], Sequence[Path]]] = {
        "bsd": (_below(steel / "train"), [*_below(steel / "train"), *_below(steel / "test")]),
        "Magnetic Tile": ([path for path in tiles if "MT_Free" in str(path)], tiles),
        "Ped2": (_below(frames / "train"), [*_below(frames / "train"), *_below(frames / "test")]),
    }
    try:
        mono, poly = solar_cells("mono"), solar_cells("poly")
    except DataError as error:
        print(f"Solar cells are left out: {error}")
        return found
    cells = sorted(mono.functional[0].parent.glob("*.png"))
    return found | {"ELPV": ([*mono.functional, *poly.functional], cells)}


def fitted(good: Sequence[Path], count: int, options: dict[str, Any]) -> Detector:
    """A model of some good images, evenly spread."""
    chosen = good[:: max(1, len(good) // count)][:count]
    return fit(chosen, threads=1, progress=False, **options)


def odd_cases(folder: Path) -> list[Case]:
    """Forty images, drawn into `folder`: by what is odd about the image, or about the model."""
    fits = [save_image(folder / "fit" / f"{seed}.png", good_part(seed)) for seed in range(8)]
    usual = fit(fits, threads=1, **TINY)
    wide = [save_image(folder / "wide" / f"{seed}.png", good_part(seed).astype(np.uint16) * 257) for seed in range(8)]
    parts = _saved(folder / "parts", [good_part(100), scratched_part(102).grey, stained_part(103).grey])
    wide_parts = _saved(folder / "wide parts", [np.asarray(Image.open(each), np.uint16) * 200 for each in parts])
    return [
        Case("odd: sides, grey, colour", usual, [*_saved(folder / "odd", _odd_pixels()), *_files(folder / "files")]),
        Case("odd: 16 bit", fit(wide, threads=1, **TINY), wide_parts),
        Case("odd: areas ignored", fit(fits, threads=1, **TINY | {"ignore": ["100,5,30x30"]}), parts),
        Case("odd: tiles", fit(fits, threads=1, **TINY | {"size": (160, 240), "tiles": 136, "taps": [2]}), parts),
        Case("odd: every row twice, known patches", _with_ties(usual), [*parts, *fits[:3]]),
    ]


def _odd_pixels() -> list[Array]:
    sides = [(1, 144), (96, 1), (1, 1), (2, 3), (13, 17), (100, 60), (40, 200), (301, 451), (95, 145), (700, 50)]
    drawn: list[Array] = [good_part(200 + seed, *side) for seed, side in enumerate(sides)]
    colours = np.stack([good_part(1), good_part(2), good_part(3)], axis=2)
    grey = np.repeat(good_part(4)[:, :, None], 3, axis=2)
    flat = [np.full((96, 144), value, np.uint8) for value in (0, 112, 255)]
    noise = np.random.default_rng(0).integers(0, 256, (96, 144, 3)).astype(np.uint8)
    return [*drawn, colours, grey, *flat, noise, torn_part(0), torn_part(1)]


def _files(folder: Path) -> list[Path]:
    """Turned by EXIF in all eight ways; with transparency, with a palette, of one bit."""
    folder.mkdir(parents=True)
    picture, files = Image.fromarray(stained_part(1).grey), []
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        files.append(folder / f"turned{turn}.jpg")
        picture.save(files[-1], exif=exif, quality=95)
    for mode in ("RGBA", "P", "1"):
        files.append(folder / f"{mode}.png")
        picture.convert(mode).save(files[-1])
    return files


def _with_ties(detector: Detector) -> Detector:
    """The model with every row of its bank twice."""
    method = detector.model.method
    assert isinstance(method, PatchCore)
    bank = bank_of(detector)
    columns = {name: getattr(bank, name).repeat(2, axis=0) for name in ("rows_KD", "image_K", "cell_K", "radii_K")}
    look = method.looks[0].over(replace(bank, **columns))
    return detector.with_model(replace(detector.model, method=method.with_looks([look])))


def _saved(folder: Path, images: Sequence[Array]) -> list[Path]:
    return [save_image(folder / f"{number:02}.png", image) for number, image in enumerate(images)]


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in {".png", ".jpg"})
