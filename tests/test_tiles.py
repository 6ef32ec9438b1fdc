"""Tiling: the grid of tiles is that of the whole image at once, but for what a network sees beyond the margin."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from parts import TINY, good_part, save_image
from shell import RunCli

from blemish.arrays import Array, Bytes
from blemish.backbones.backbone import load_backbone
from blemish.detector import Detector, load
from blemish.errors import ImageError, OptionError
from blemish.features.graph import Grid, build_graph, choose_taps
from blemish.features.patches import make_extractor
from blemish.features.tiles import TiledExtractor, extractor_for, spans, tile_of_cells
from blemish.fitting import fit
from blemish.images.tiling import Tiling
from blemish.images.transform import Transform
from blemish.memory.per_tile import coreset_per_tile
from blemish.memory.shards import ArrayShard
from blemish.result import Verdict
from blemish.search.search import PerTileSearch

TOLERANCE = 0.01
"""How much of a score may change with the tiling."""


def surface(seed: int, height: int = 400, width: int = 672) -> Bytes:
    """A rolled surface: grain of two scales."""
    random = np.random.default_rng(seed)
    fine = cv2.GaussianBlur(random.normal(0, 60, (height, width)), (0, 0), 2.5, sigmaY=0.8)
    coarse = cv2.GaussianBlur(random.normal(0, 400, (height, width)), (0, 0), 12)
    return np.asarray(np.clip(120 + fine + coarse, 0, 255), np.uint8)


def dented(seed: int, x: int, y: int) -> Bytes:
    image = surface(seed)
    cv2.circle(image, (x, y), 4, 235, -1, cv2.LINE_AA)
    return image


@pytest.mark.parametrize(
    ("length", "side", "margin", "unit"),
    [(8000, 1024, 128, 16), (2000, 1024, 128, 16), (5008, 272, 128, 16), (1040, 1024, 128, 16), (960, 320, 96, 32)],
)
def test_tiles_overlap_by_the_margins_and_keep_every_cell_once(length: int, side: int, margin: int, unit: int) -> None:
    tiling = Tiling(side=side, margin=margin, unit=unit)
    shorter, _ = tiling.shape(length, length)
    assert side - shorter < side / 2
    assert tiling.count(length, shorter) == tiling.count(length, side)
    found, side = spans(length, shorter, tiling), shorter
    assert [span.first for span in found] == [0, *(span.last for span in found[:-1])]
    assert found[-1].last == length
    for before, after in pairwise(found):
        assert before.start + side - before.last >= margin
        assert after.first - after.start >= margin
    for span in found:
        assert span.first < span.last
        assert 0 <= span.start <= length - side
        assert all(number % unit == 0 for number in span)


def test_one_tile_holds_a_short_length() -> None:
    assert spans(200, 200, Tiling(side=1024, margin=128, unit=16)) == [(0, 0, 200)]


@pytest.fixture(scope="module")
def graph() -> bytes:
    backbone = load_backbone("efficientnet_lite0")
    taps = choose_taps(backbone, [])
    return build_graph(backbone, {"patches": Grid(taps), "sparse": Grid(taps[:1], patch_stride=2)})


def colour(image: Bytes) -> Array:
    return np.dstack([image] * 3)


def test_beyond_the_receptive_field_tiles_are_the_whole_image(graph: bytes) -> None:
    """The reach of the default taps is 200 pixels; with that for a margin nothing is lost."""
    image = colour(surface(0, 480, 656))
    whole = make_extractor(graph, 480, 656)(image)
    transform = Transform(height=480, width=656, resize="stretch", tiling=Tiling(side=480, margin=208, unit=16))
    tiled = extractor_for(graph, transform, threads=2)(image)
    assert tiled.keys() == whole.keys()
    for name, grid in whole.items():
        np.testing.assert_allclose(tiled[name], grid, rtol=1e-4, atol=1e-4 * np.abs(grid).max())


def test_one_tile_is_no_tiling_bit_for_bit(graph: bytes, folder: Path) -> None:
    image = colour(surface(1, 208, 320))
    one = TiledExtractor(make_extractor(graph, 208, 320), Tiling(side=1024, margin=128, unit=16), 208, 320)
    for name, grid in make_extractor(graph, 208, 320)(image).items():
        np.testing.assert_array_equal(one(image)[name], grid)
    tiled = fit(folder / "fit", threads=2, tiles=320, **TINY)
    plain = fit(folder / "fit", threads=2, **TINY)
    result, expected = tiled.inspect(good_part(9)), plain.inspect(good_part(9))
    np.testing.assert_array_equal(result.anomaly_map, expected.anomaly_map)
    assert result.score == expected.score


def test_the_number_of_threads_changes_no_bit(graph: bytes) -> None:
    transform = Transform(height=400, width=672, resize="stretch", tiling=Tiling(side=320, margin=128, unit=16))
    image = colour(surface(2))
    one, three = (extractor_for(graph, transform, threads=threads)(image) for threads in (1, 3))
    np.testing.assert_array_equal(one["patches"], three["patches"])


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """Fitted at native resolution in tiles of 320; through a file."""
    detector = fit([surface(seed) for seed in range(4)], tiles=320, coreset=400, folds=2, threads=2)
    path = tmp_path_factory.mktemp("tiled") / "a.blemish"
    detector.save(path)
    return load(path, threads=2)


def test_tiling_keeps_every_pixel_of_the_image(tiled: Detector) -> None:
    transform = tiled.model.manifest.transform
    assert (transform.height, transform.width) == (400, 672)
    assert transform.tiling == Tiling(side=320, margin=128, unit=16)
    np.testing.assert_array_equal(transform(surface(5), "image")[0][:, :, 1], surface(5))


@pytest.mark.parametrize("pixels", [np.uint8, np.uint16])
@pytest.mark.parametrize(("height", "width"), [(333, 401), (337, 300), (336, 655)])
def test_odd_sizes_are_padded_and_not_resized(height: int, width: int, pixels: type) -> None:
    images: list[Array] = [np.full((height, width), 9 + seed, pixels) for seed in range(2)]
    for image in images:
        image[::3, ::2] = 200
    transform = fit(images, tiles=304, coreset=20, folds=2, threads=2).model.manifest.transform
    sized, placement = transform(images[0], "image")
    assert (placement.content.height, placement.content.width) == (height, width)
    assert sized.shape[0] % 16 == sized.shape[1] % 16 == 0
    content = placement.content
    part = sized[content.y : content.y + height, content.x : content.x + width, 0]
    if pixels is np.uint8:
        np.testing.assert_array_equal(part, images[0])
    else:
        assert len(np.unique(part)) == 2
        np.testing.assert_array_equal(part == part.max(), images[0] == 200)


@pytest.mark.parametrize("x", [60, 272, 336])
def test_a_score_moves_less_than_the_tolerance_when_the_tiling_shifts(tiled: Detector, x: int) -> None:
    """Whether a dent lies in the middle of a tile or on a seam."""
    image = dented(10, x, 190)
    results = [with_tiling(tiled, Tiling(side=side, margin=128, unit=16)).inspect(image) for side in (304, 320, 448)]
    results.append(with_tiling(tiled, None).inspect(image))
    scores = [result.score for result in results]
    assert max(scores) - min(scores) < TOLERANCE * min(scores)
    assert {result.verdict for result in results} == {Verdict.NG}
    for result in results:
        box = result.regions[0].box
        assert box.x <= x < box.x + box.width
        assert box.y <= 190 < box.y + box.height


def with_tiling(detector: Detector, tiling: Tiling | None) -> Detector:
    """The same model, cut otherwise."""
    changed = detector.manifest.transform.model_copy(update={"tiling": tiling})
    manifest = detector.manifest.model_copy(update={"transform": changed})
    return Detector.of(replace(detector.model, manifest=manifest), threads=2)


def test_the_nearest_good_patch_is_found_at_its_place() -> None:
    """A dent that one good image has, too: in another tile, at another place."""
    images = [dented(0, 560, 90), surface(1)]
    whole = fit(images, tiles=320, coreset=1.0, folds=2, threads=2)
    assert whole.inspect(images[1]).score == 0
    image = surface(2)
    cv2.circle(image, (120, 300), 4, 255, -1, cv2.LINE_AA)
    nearest = whole.inspect(image).nearest
    assert nearest is not None
    assert np.hypot(nearest.x - 560, nearest.y - 90) < 16


def test_half_the_resolution_is_a_size(tiled: Detector) -> None:
    half = fit([surface(seed, 800, 1344) for seed in range(2)], tiles=320, size="400x672", coreset=20, folds=2)
    assert (half.model.manifest.transform.height, half.model.manifest.transform.width) == (400, 672)
    result = half.inspect(surface(9, 800, 1344))
    assert result.anomaly_map is not None
    assert result.anomaly_map.shape == (800, 1344)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tiles": 100}, "Option tiles=100 cannot be used: tiles overlap by 256 pixels with this network, so give 272"),
        ({"tiles": 9}, "Option tiles="),
        ({"tiles": "many"}, "Option tiles="),
        ({"tile_banks": "each"}, "Option tile_banks=each needs tiles"),
    ],
)
def test_tiles_that_cannot_be_used_are_one_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        fit([surface(0), surface(1)], **options)


def test_a_tiled_batch_goes_through_the_command_line(tiled: Detector, tmp_path: Path, run_cli: RunCli) -> None:
    tiled.save(tmp_path / "a.blemish")
    for name, image in (("good", surface(11)), ("bad", dented(12, 336, 200))):
        save_image(tmp_path / "line" / f"{name}.png", image)
    outcome = run_cli("inspect", tmp_path / "a.blemish", tmp_path / "line")
    assert outcome.code == 1
    assert outcome.stdout.splitlines()[0].split()[0] == "NG"


def shaded(seed: int) -> Bytes:
    """A surface whose right third is polished: calm, and bright."""
    image = surface(seed, 304, 512)
    image[:, 280:] = 200 + (image[:, 280:].astype(np.float32) - 120) * 0.1
    return image


def test_a_bank_for_each_tile_knows_what_belongs_where() -> None:
    """Grain where the part is polished is known to the one bank, and strange to the bank of that tile."""
    good, rough, place = [shaded(seed) for seed in range(3)], shaded(9), np.s_[130:170, 440:480]
    rough[place] = surface(9, 304, 512)[place]
    shares = {}
    for banks in ("one", "each"):
        found = fit(good, tiles=352, coreset=600, folds=2, threads=2, tile_banks=banks).inspect(rough).anomaly_map
        assert found is not None
        shares[banks] = found[place].max() / np.quantile(found, 0.99)
    assert shares["one"] < shares["each"]
    assert shares["each"] > 1


def test_each_tile_finds_the_nearest_row_of_its_own() -> None:
    random = np.random.default_rng(0)
    bank, queries = random.random((50, 8), np.float32), random.random((40, 8), np.float32)
    tile_K, tile_Q = random.integers(0, 3, 50), random.integers(0, 3, 40)
    distances, rows = PerTileSearch(bank, tile_K).query(queries, tile_Q)
    for query, tile, distance, row in zip(queries, tile_Q, distances, rows, strict=True):
        to_own = np.where(tile_K == tile, np.linalg.norm(bank - query, axis=1), np.inf)
        assert row == to_own.argmin()
        assert distance == pytest.approx(to_own.min(), rel=1e-6)
    with pytest.raises(ImageError, match="where no good image did"):
        PerTileSearch(bank, tile_K).query(queries, tile_Q + 3)


def test_the_rows_of_all_tiles_take_turns() -> None:
    random = np.random.default_rng(1)
    patches, tile_N = random.random((90, 4), np.float32), np.repeat([0, 1, 2], 30)
    among = np.ones(90, np.bool_)
    coreset = coreset_per_tile(ArrayShard(patches), tile_N, 12, among=among, seed=0)
    assert tile_N[coreset.indices].tolist() == [0, 1, 2] * 4
    chosen = coreset.indices
    distances = np.linalg.norm(patches[:, None] - patches[chosen], axis=2)
    distances[tile_N[:, None] != tile_N[chosen]] = np.inf
    assert coreset.radii[-1] == pytest.approx(distances.min(axis=1).max(), rel=1e-5)


def test_cells_belong_to_the_tile_they_are_taken_from() -> None:
    transform = Transform(height=400, width=672, resize="stretch", tiling=Tiling(side=320, margin=128, unit=16))
    numbers = tile_of_cells(transform, (50, 84)).reshape(50, 84)
    assert transform.tiling is not None
    height, width = transform.tiling.shape(400, 672)
    rows, columns = spans(400, height, transform.tiling), spans(672, width, transform.tiling)
    for number, (row, column) in enumerate((row, column) for row in rows for column in columns):
        part = numbers[row.first // 8 : row.last // 8, column.first // 8 : column.last // 8]
        assert (part == number).all()
    assert numbers.max() == len(rows) * len(columns) - 1
