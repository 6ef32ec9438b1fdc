"""Damaged, foreign, huge and unmeasured: an error of that image, or pixels that are known not to count."""

import base64
import io
import os
import re
import struct
import tracemalloc
import zlib
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
import tifffile
from campaigns.damage import damage
from campaigns.seeds import seeds
from parts import TINY, good_part
from PIL import Image

from blemish.arrays import Array, Bytes
from blemish.errors import ImageError
from blemish.fitting import fit
from blemish.images.nodata import count_nodata
from blemish.images.probe import probe_image
from blemish.images.read import read_image
from blemish.images.rules import Bounds, Rules


def jpeg(pixels: Bytes, mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (61, 83), (64, 64)])
def test_jpeg_pixels_are_pillows_to_the_bit(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    for mode, quality, sampling, progressive in product(
        ("L", "RGB", "CMYK"), (30, 95), ("4:4:4", "4:2:2", "4:2:0"), (False, True)
    ):
        if mode == "CMYK" and sampling != "4:4:4":
            continue  # Pillow writes factors that no other program does
        data = jpeg(pixels, mode, quality=quality, subsampling=sampling, progressive=progressive)
        with Image.open(io.BytesIO(data)) as image:
            expected = np.asarray(image if mode == "L" else image.convert("RGB"))
        np.testing.assert_array_equal(read_image(data), expected)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_and_closed_is_damaged_unless_that_is_accepted(progressive: bool) -> None:
    data = jpeg(good_part(0), progressive=progressive)
    cut = data[: len(data) * 9 // 10] + b"\xff\xd9"
    with pytest.raises(ImageError, match="damaged or cut short"):
        read_image(cut)
    assert read_image(cut, rules=Rules(accept_damaged=True)).shape == (96, 144, 3)


def test_what_is_missing_of_a_jpeg_that_is_accepted_is_the_same_at_each_read() -> None:
    """libjpeg leaves the rows that it gives up as they were."""
    data = damage(seeds()["JPEG RGB progressive=True restart=0"], "bytes set", 5, 0)
    reads = []
    for value in range(8):
        left_behind = [np.full((60, 60, 3), 30 * value, np.uint8) for _ in range(50)]
        del left_behind
        reads.append(read_image(data, rules=Rules(accept_damaged=True)).tobytes())
    assert len(set(reads)) == 1


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_progressive_jpeg_without_its_last_scans_is_damaged(mode: str) -> None:
    """Each ends where a scan does, so that no decoder warns of anything."""
    data = jpeg(good_part(0), mode, progressive=True)
    scans = [match.start() for match in re.finditer(rb"(?:\xff\xc4..[^\xff]*)?\xff\xda", data, re.S)]
    assert len(scans) > 4
    for start in scans[1:]:
        cut = data[:start] + b"\xff\xd9"
        simplejpeg.decode_jpeg(cut, "GRAY", strict=True)
        with pytest.raises(ImageError, match="the last scans, with the finer detail or the colours, are missing"):
            read_image(cut)
        assert read_image(cut, rules=Rules(accept_damaged=True)).shape[:2] == (96, 144)


def test_what_libjpeg_passes_over_is_read_on_request_and_exactly() -> None:
    """Some telephones write nonsense into the head of a scan, some webcams stray bytes between segments."""
    data = jpeg(good_part(0))
    scan, tables = data.index(b"\xff\xda"), data.index(b"\xff\xdb")
    (length,) = struct.unpack_from(">H", data, scan + 2)
    head = scan + 2 + length
    for odd, message in (
        (data[: head - 3] + bytes(3) + data[head:], "Invalid SOS parameters"),
        (data[:tables] + b"!?" + data[tables:], "2 extraneous bytes before marker"),
        (data[:-2] + bytes(64) + data[-2:], "extraneous bytes before marker 0xd9"),
    ):
        with pytest.raises(ImageError, match=f"{message}.*damaged"):
            read_image(odd)
        np.testing.assert_array_equal(read_image(odd, rules=Rules(accept_damaged=True)), read_image(data))
    np.testing.assert_array_equal(read_image(data + b"bytes behind the end"), read_image(data))


LIKE_FACTORS = {
    "all colours 2x1": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1x"
        "eXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/wAAR"
        "CAAMABQDASEAAiEBAyEB/8QAFgABAQEAAAAAAAAAAAAAAAAABAAF/8QAHRAAAgICAwEAAAAAAAAAAAAAAAMCBVFhESExMv/EABkBAQEAAwEA"
        "AAAAAAAAAAAAAAUAAwQGB//EABoRAAMBAQEBAAAAAAAAAAAAAAACAwQBESH/2gAMAwEAAhEDEQA/AMZVdoWqu0dFbUFW1GnDQMw0CY13XyQc"
        "2r6Qqmj4RoKRDAxSIYM1qMFWox5xB+jMH6JiiHHhBzUb0hVH74R//9k="
    ),
    "2x2 and twice 1x2": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1x"
        "eXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/wAAR"
        "CAAMABQDASIAAhIBAxIB/8QAFwAAAwEAAAAAAAAAAAAAAAAAAAQFBv/EAB0QAAICAgMBAAAAAAAAAAAAAAADAgVRYREhMTL/xAAXAQADAQAA"
        "AAAAAAAAAAAAAAABBQYC/8QAGxEAAgIDAQAAAAAAAAAAAAAAAAQBAgMRITH/2gAMAwEAAhEDEQA/AIyq7Q2qu0WVIhgcUiGBw20T7eSwUmPB"
        "MleeEONd18gaWKIceAblrpPzktsu4Y4JovOj/9k="
    ),
}
"""Of 20 x 12 pixels, written by cjpeg: colours are sampled as in 4:4:4 and 4:2:2, which is said in other numbers."""


@pytest.mark.parametrize("data", LIKE_FACTORS.values(), ids=LIKE_FACTORS)
def test_jpegs_whose_factors_are_no_smallest_ones_are_read(data: str) -> None:
    encoded = base64.b64decode(data)
    with Image.open(io.BytesIO(encoded)) as image:
        np.testing.assert_array_equal(read_image(encoded), np.asarray(image))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(kind: int, rows: bytes, *before: bytes, bits: int = 8, interlaced: int = 0) -> bytes:
    """A PNG of 8 x 6 pixels whose sums are all right, whatever it holds."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 6, bits, kind, 0, 0, interlaced))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(before) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


ROW = bytes([0, *range(1, 9)])
PALETTE = chunk(b"PLTE", bytes(range(27)))
WHOLE_PNGS = [
    png_of(0, 6 * ROW),
    png_of(0, 6 * bytes(9)),
    png_of(3, 6 * ROW, PALETTE),
    png_of(0, bytes(60), interlaced=1),
]


@pytest.mark.parametrize("number", range(len(WHOLE_PNGS)))
def test_small_pngs_are_whole(number: int) -> None:
    assert read_image(WHOLE_PNGS[number]).shape[:2] == (6, 8)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (png_of(0, 4 * ROW), "the last rows of the image are missing"),
        (png_of(2, 5 * bytes([0, *range(1, 25)])), "the last rows of the image are missing"),
        (png_of(4, 5 * bytes([0, *range(1, 33)]), bits=16), "the last rows of the image are missing"),
        (png_of(0, bytes(51), interlaced=1), "the last rows of the image are missing"),
        (png_of(3, 6 * ROW), "a chunk is missing"),
        (png_of(3, 6 * ROW, chunk(b"PLTE", bytes(range(24)))), "a colour that is not in its palette"),
        (png_of(0, 6 * ROW, WHOLE_PNGS[0][8:33]), "its chunks do not make one image"),
        (png_of(0, 6 * ROW, chunk(b"ABCD", b"")), "its chunks do not make one image"),
        (png_of(0, 6 * ROW, chunk(b"IDAT", b"x"), chunk(b"tEXt", b"a\0b")), "its chunks do not make one image"),
    ],
    ids=range(9),
)
def test_pngs_that_contradict_themselves_are_damaged_though_their_sums_are_right(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        read_image(data)


def test_a_palette_that_lacks_colours_is_damaged_in_every_format() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    head = struct.pack("<IiiHHIIiiII", 40, 8, 6, 1, 8, 0, 48, 1, 1, 40, 0)
    bmp = b"BM" + struct.pack("<IHHI", 54 + 160 + 48, 0, 0, 54 + 160) + head + bytes(range(160)) + pixels.tobytes()
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="palette", colormap=np.zeros((3, 256), np.uint16))
    count = struct.pack("<HHI", 320, 3, 768)
    assert count in buffer.getvalue()
    short = buffer.getvalue().replace(count, struct.pack("<HHI", 320, 3, 300))
    for data in (bmp, short):
        with pytest.raises(ImageError, match="palette"):
            read_image(data)


def test_netpbm_files_of_two_images_and_of_values_above_the_largest_are_refused() -> None:
    grey, bits = b"P5 8 6 15\n" + bytes(48), b"P4 8 6\n" + bytes(6)
    for one in (grey, bits, b"P6 8 6 255\n" + bytes(144)):
        assert read_image(one + b"\n").shape[:2] == (6, 8)
        with pytest.raises(ImageError, match="2 pages or frames"):
            read_image(one + one)
    with pytest.raises(ImageError, match="above the largest, 15"):
        read_image(b"P5 8 6 15\n" + bytes([*range(48)]))


@pytest.mark.parametrize(
    "start", [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"DDS |\0\0\0", b"\0\0\0 ftypavif", b"8BPS\0\1", b"%PDF-1.7"]
)
def test_other_formats_meet_no_decoder(start: bytes, tmp_path: Path) -> None:
    path = tmp_path / "part.png"
    path.write_bytes(start + bytes(200))
    with pytest.raises(ImageError, match=r"part\.png is .* not supported; convert it to PNG or TIFF"):
        read_image(path)


def png(width: int, height: int, bits: int) -> bytes:
    """All black, as small as can be."""
    row = bytes((width * bits + 7) // 8 + 1)
    packer = zlib.compressobj(9)
    content = (
        b"".join(packer.compress(row) for _ in range(height)) if height < 20_000 else packer.compress(row * height)
    )
    head = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    chunks = (chunk(b"IHDR", head), chunk(b"IDAT", content + packer.flush()), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(("width", "height", "bits"), [(1, 17_000_000, 8), (13_376, 13_376, 1)])
def test_small_files_of_huge_images_are_refused_by_their_header(
    width: int, height: int, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("it was decoded"))
    data = png(width, height, bits)
    for use in (read_image, probe_image):
        with pytest.raises(ImageError, match=f"claims {width} x {height} pixels"):
            use(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (png_of(0, 6 * ROW, chunk(b"tEXt", b"a\0b") * 3000), "more than 1,1.. chunks"),
        (b"\xff\xd8" + b"\xff\xe1\0\x02" * 10_000 + b"\xff\xd9", "more than 8,192 segments"),
        (b"\xff\xd8" + b"\xff" * 100_000 + b"\xd9", "its header is wrong"),
        (b"P5\n#" + b"x" * 10_000 + b"\n8 6 255\n" + bytes(48), "its header is wrong"),
        (b"P5\n" + b"#\n" * 10_000 + b"8 6 255\n" + bytes(48), "its header is wrong"),
    ],
    ids=["chunks", "segments", "filling", "comment", "comments"],
)
def test_headers_without_end_are_refused_before_a_decoder_follows_them(data: bytes, message: str) -> None:
    for read in (read_image, probe_image):
        with pytest.raises(ImageError, match=message):
            read(data)


def test_what_follows_the_rows_of_a_png_is_not_unpacked() -> None:
    packer = zlib.compressobj(9)
    content = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    head, end = WHOLE_PNGS[1][:33], chunk(b"IEND", b"")
    tracemalloc.start()
    try:
        assert not read_image(head + chunk(b"IDAT", content) + end).any()
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_bounds_follow_the_good_images() -> None:
    bounds = Bounds.around([(1000, 2000), (900, 2100)])
    assert (bounds.pixels, bounds.side) == (16 * 2_000_000, 8 * 2100)
    assert not bounds.hold(6000, 6000)
    assert "at most 32,000,000 are read, and at most 16,800 on a side" in str(bounds.refusal(6000, 6000, 10, "a.png"))
    assert bounds.hold(2100, 2100)
    assert bounds.fill(2100, 2100, 10)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders there")
def test_a_pipe_is_no_image_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ImageError, match="is a device or a pipe"):
        read_image(tmp_path / "a.png")


def height_map(seed: int) -> Array:
    return (good_part(seed) / np.float32(100)).astype(np.float32)


@pytest.mark.parametrize("mark", [-9999.0, -32768.0, -3.4028234663852886e38, np.nan, -12345.0])
def test_marks_of_what_was_not_measured_become_nan(mark: float) -> None:
    values = height_map(0)
    marked = values.copy()
    marked[10:20, 30:40] = mark
    values[10:20, 30:40] = np.nan
    np.testing.assert_array_equal(read_image(marked), values)
    assert count_nodata(read_image(marked)) == 100


def test_a_hot_spot_and_a_lone_value_are_measurements() -> None:
    for hot, size in ((30.0, 10), (5000.0, 1)):
        values = height_map(0)
        values[10 : 10 + size, 30 : 30 + size] = hot
        assert count_nodata(read_image(values)) == 0


def test_nodata_is_what_the_tag_or_the_user_says() -> None:
    values = height_map(0)
    values[:5] = 0.5
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, extratags=[(42113, 2, 4, "0.5", True)])
    assert count_nodata(read_image(buffer.getvalue())) == np.count_nonzero(values == 0.5)
    assert count_nodata(read_image(values, rules=Rules(nodata=0.5))) == np.count_nonzero(values == 0.5)
    assert count_nodata(read_image(values)) == 0


def test_what_was_not_measured_is_not_looked_at_and_sets_no_range() -> None:
    holes = [height_map(seed) for seed in range(8)]
    plain = fit(holes, **TINY)
    for values in holes:
        values[:24, :24] = -9999
    detector = fit(holes, **TINY)
    assert detector.manifest.transform.low == pytest.approx(plain.model.manifest.transform.low, abs=0.2)
    result = detector.inspect(holes[0])
    assert result.anomaly_map is not None
    assert np.isnan(result.anomaly_map[:24, :24]).all()
    assert np.isfinite(result.score)
