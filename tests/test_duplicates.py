"""Which images the doctor takes for one part."""

import io
import os
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from blemish.arrays import Bytes, Floats
from blemish.data.protocols.magnetic_tile import tiles
from blemish.data.protocols.solar_cells import solar_cells
from blemish.errors import DataError
from blemish.images.duplicates import FEWEST, SHIFT, Groups, correlation, near_duplicates
from blemish.images.glance import SIDE, Glance, fingerprint


def surface(seed: int) -> Bytes:
    """A part with a pattern of its own under what all parts share: a frame and a bar across."""
    random = np.random.default_rng(seed)
    own = cv2.GaussianBlur(random.normal(0, 1, (160, 200)).astype(np.float32), (0, 0), 4)
    plate = 120 + 12 * own / own.std()
    cv2.rectangle(plate, (8, 8), (192, 152), 20.0, 6)
    cv2.line(plate, (8, 80), (192, 80), 190.0, 8)
    return np.asarray(np.clip(plate, 0, 255), np.uint8)


def shot(part: int, time: int = 0) -> Bytes:
    """A part before the camera: each time in another light, with noise, and cropped a little elsewhere."""
    random = np.random.default_rng([part, time])
    top, left = random.integers(0, 8, 2)
    crop = surface(part)[top : top + 152, left : left + 192].astype(np.float32) * random.uniform(0.8, 1.2)
    seen = cv2.resize(crop + random.normal(0, 1, crop.shape), (200, 160))
    return np.asarray(np.clip(seen, 0, 255), np.uint8)


def glance(image: Bytes) -> Glance:
    """A look that tells fingerprint and size."""
    height, width = image.shape
    rest: dict[str, Any] = {"stops": 0.0, "clipped": 0.0, "sharpness": 0.0, "end": 0.0, "measured": 1.0}
    seen = fingerprint(image.astype(np.float32))
    return Glance("", height, width, "uint8", coloured=False, digest=b"", print_P=seen, **rest)


def grouped(images: list[Bytes], threads: int = 1) -> list[list[int]]:
    groups = Groups(len(images))
    near_duplicates([glance(image) for image in images], groups, threads=threads)
    return groups.all()


def test_shots_of_one_part_come_together_and_parts_stay_apart() -> None:
    shots = [shot(part, time) for part in range(20) for time in range(3)]
    assert grouped(shots) == [[3 * part, 3 * part + 1, 3 * part + 2] for part in range(20)]


def cut(part: int, time: int) -> Bytes:
    """A part as a segmentation cuts it out of a picture: each time a little larger or smaller, in another light.

    Its structure is finer than that of `shot`, so that stretching the crop to another size counts.
    """
    random = np.random.default_rng([part, time, 7])
    own = cv2.GaussianBlur(np.random.default_rng(part).normal(0, 1, (320, 400)).astype(np.float32), (0, 0), 2.5)
    plate = 120 + 15 * own / own.std()
    cv2.line(plate, (0, 160), (400, 160), 190.0, 8)
    top, left, bottom, right = random.integers(0, 16, 4)
    seen = plate[top : 320 - bottom, left : 400 - right] * random.uniform(0.4, 1.2)
    return np.asarray(np.clip(seen + random.normal(0, 1, seen.shape), 0, 255), np.uint8)


def test_crops_of_one_part_come_together_whatever_their_size() -> None:
    """All fingerprints are of one size: crops that differ by 3 % lay over each other in the middle alone, and half of
    them did not come together; 66 magnetic tiles were counted as 98 parts."""
    shots = [cut(part, time) for part in range(20) for time in range(3)]
    assert grouped(shots) == [[3 * part, 3 * part + 1, 3 * part + 2] for part in range(20)]


def test_crops_of_other_parts_stay_apart_whatever_their_size() -> None:
    assert grouped([cut(part, part) for part in range(40)]) == [[part] for part in range(40)]


@pytest.mark.parametrize("factor", [0.5, 2.0, (1.0, 1.1), (0.94, 1.0)])
def test_one_picture_stored_at_another_size_is_still_one(factor: float | tuple[float, float]) -> None:
    """Resampled, not cut: there the whole pictures lie over each other."""
    down, across = factor if isinstance(factor, tuple) else (factor, factor)
    parts = [cut(part, 0) for part in range(12)]
    again = cv2.resize(parts[0], None, fx=across, fy=down, interpolation=cv2.INTER_AREA)
    assert grouped([*parts, np.asarray(again, np.uint8)])[0] == [0, 12]


def test_magnetic_tiles_in_two_exposures_are_as_many_parts_as_tiles() -> None:
    """Of every other tile that was shot six times; the data set's numbers count tile 47 anew, which is tile 42."""
    root = os.environ.get("BLEMISH_DATA")
    if root is None or not Path(root, "mtd").is_dir():
        pytest.skip("needs BLEMISH_DATA with the Magnetic Tile images")
    pictures: dict[int, list[Path]] = {}
    for path, tile in tiles(sorted(Path(root).glob("mtd/MT_Free/Imgs/*.jpg"))).items():
        pictures.setdefault(tile, []).append(path)
    six = [paths for paths in pictures.values() if len(paths) == 6][1::2]
    images = [np.asarray(Image.open(path).convert("L")) for paths in six for path in sorted(paths)[:2]]
    assert len(six) <= len(grouped(images)) <= 1.05 * len(six)


def test_threads_share_the_comparisons_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread made them all: a sixth of the time of a fit of 700 images."""
    threads: set[int] = set()
    started = threading.Barrier(2, timeout=60)

    def noted(one_P: Floats, other_P: Floats) -> float:
        if threading.get_ident() not in threads:
            threads.add(threading.get_ident())
            started.wait()  # until another thread compares as well
        return correlation(one_P, other_P)

    shots = [shot(part, time) for part in range(20) for time in range(2)]
    expected = grouped(shots)
    monkeypatch.setattr("blemish.images.duplicates.correlation", noted)
    assert grouped(shots, threads=2) == expected
    assert len(threads) == 2


def test_parts_that_look_alike_are_no_duplicates() -> None:
    """All share frame and bar; each is another part."""
    assert grouped([shot(part) for part in range(40)]) == [[part] for part in range(40)]


def test_two_kinds_of_product_are_not_two_parts() -> None:
    """Half of the parts carry another bar: that is no part's own."""
    parts = [shot(part) for part in range(40)]
    for part in parts[::2]:
        cv2.line(part, (60, 8), (60, 152), 10, 10)
        cv2.line(part, (140, 8), (140, 152), 10, 10)
    assert all(len(members) == 1 for members in grouped(parts))


def test_few_images_tell_nothing() -> None:
    assert grouped([surface(0)] * (FEWEST - 1)) == [[number] for number in range(FEWEST - 1)]


@pytest.mark.parametrize("value", [0, 128])
def test_blank_images_are_like_no_other(value: int) -> None:
    blank = np.full((160, 200), value, np.uint8)
    assert all(len(members) == 1 for members in grouped([blank] * 3 + [surface(seed) for seed in range(12)]))


def test_exposure_does_not_count() -> None:
    part = surface(1).astype(np.float32)
    bright, dark = (fingerprint(image).astype(np.float32) for image in (part, part * 0.5 + 30))
    assert correlation(bright, dark) > 0.98


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (3, -5), (-SHIFT, SHIFT)])
def test_correlation_finds_the_shift(rows: int, columns: int) -> None:
    """Against the plain sums at every shift."""
    random = np.random.default_rng(0)
    wide = random.normal(0, 1, (SIDE + 2 * SHIFT, SIDE + 2 * SHIFT)).astype(np.float32)
    one = wide[SHIFT:-SHIFT, SHIFT:-SHIFT]
    other = wide[SHIFT + rows : SHIFT + rows + SIDE, SHIFT + columns : SHIFT + columns + SIDE]
    other = other + random.normal(0, 1, other.shape).astype(np.float32)
    inner = other[SHIFT:-SHIFT, SHIFT:-SHIFT].astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(one.astype(np.float64), inner.shape)
    wanted = np.einsum("abij,ij->ab", windows, inner) / np.sqrt((windows**2).sum((2, 3)) * (inner**2).sum())
    assert correlation(one.ravel(), other.ravel()) == pytest.approx(wanted.max(), abs=1e-4)
    assert np.unravel_index(wanted.argmax(), wanted.shape) == (SHIFT + rows, SHIFT + columns)


def near_copies(image: Bytes) -> list[Bytes]:
    """What becomes of a picture that is stored and sent around."""
    height, width = image.shape
    picture, file = Image.fromarray(image), io.BytesIO()
    picture.save(file, "JPEG", quality=75)
    wide = np.pad(image, 2, mode="edge")
    return [
        np.asarray(Image.open(file)),
        np.asarray(picture.resize((width - 1, height - 1))),
        np.clip(image.astype(int) + 2, 0, 255).astype(np.uint8),
        wide[3 : 3 + height, 1 : 1 + width],
        wide[:height, 4 : 4 + width],
    ]


@pytest.mark.parametrize("copied", [0, 74])
def test_solar_cells_are_as_many_parts_as_cells_and_their_near_copies_are_none(copied: int) -> None:
    """Cells of one wafer are much alike: by coarse structure alone, 66 were taken for about 40."""
    try:
        # Of all modules; next to each other, the data set shows a few cells up to three times.
        cells = [np.asarray(Image.open(path)) for path in solar_cells().functional[::8]]
    except DataError as error:
        pytest.skip(str(error))
    copies = [near_copies(cell)[number % 5] for number, cell in enumerate(cells[:copied])]
    wanted = [[number, 74 + number] if copies else [number] for number in range(74)]
    assert grouped(cells + copies) == wanted


def test_solar_cells_cut_out_otherwise_are_still_as_many_parts_as_cells() -> None:
    """At one scale, cells of one wafer look no more alike than as whole pictures: of all 588, none come together."""
    try:
        cells = [np.asarray(Image.open(path)) for path in solar_cells().functional[::8]]
    except DataError as error:
        pytest.skip(str(error))
    random = np.random.default_rng(0)
    edges = (random.integers(0, 13, 4) for _ in cells)
    cuts = [
        cell[top : 300 - bottom, left : 300 - right]
        for cell, (top, left, bottom, right) in zip(cells, edges, strict=True)
    ]
    assert grouped(cuts) == [[number] for number in range(74)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_groups_are_the_connected_components(pairs: list[tuple[int, int]]) -> None:
    """Against scipy."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    groups = Groups(20)
    for one, other in pairs:
        groups.join(one, other)
    matrix = coo_array((np.ones(len(pairs)), ([a for a, _ in pairs], [b for _, b in pairs])), shape=(20, 20))
    labels = connected_components(matrix, directed=False)[1]
    wanted = [[int(i) for i in np.flatnonzero(labels == label)] for label in range(labels.max() + 1)]
    assert groups.all() == sorted(wanted)
