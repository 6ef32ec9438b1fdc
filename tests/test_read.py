"""Whatever users hold becomes grey or RGB pixels, or one sentence that names it and the remedy."""

import io
import struct
import warnings
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from blemish.arrays import Array, Bytes
from blemish.errors import ImageError, OptionError
from blemish.images.probe import ImageKind, probe_image
from blemish.images.read import image_name, read_image
from blemish.images.rules import Bounds, Rules


@pytest.fixture
def colours() -> Bytes:
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def encode(pixels: Array, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x112] = orientation
    return exif


def upright(pixels: Array, orientation: int) -> Array:
    """What the EXIF standard says of rows and columns, one orientation after the other."""
    turned = {
        1: pixels,
        2: np.fliplr(pixels),
        3: np.rot90(pixels, 2),
        4: np.flipud(pixels),
        5: np.swapaxes(pixels, 0, 1),
        6: np.rot90(pixels, -1),
        7: np.rot90(np.swapaxes(pixels, 0, 1), 2),
        8: np.rot90(pixels, 1),
    }
    return turned[orientation]


GREY = (2, 3)
COLOUR = (2, 3, 3)


@pytest.mark.parametrize(
    ("mode", "colour", "expected", "shape", "pixels"),
    [
        ("1", 1, 255, GREY, "uint8"),
        ("L", 200, 200, GREY, "uint8"),
        ("LA", (200, 7), 200, COLOUR, "uint8"),
        ("RGB", (1, 2, 3), (1, 2, 3), COLOUR, "uint8"),
        ("RGBA", (1, 2, 3, 0), (1, 2, 3), COLOUR, "uint8"),
        ("CMYK", (255, 0, 0, 0), (0, 255, 255), COLOUR, "uint8"),
        ("I;16", 60000, 60000, GREY, "uint16"),
        ("I", 60000, 60000, GREY, "uint16"),
        ("F", 0.25, 0.25, GREY, "float32"),
    ],
)
def test_pillow_modes_keep_their_values(
    mode: str, colour: Any, expected: Any, shape: tuple[int, ...], pixels: str
) -> None:
    image = Image.new(mode, (3, 2), colour)
    values = read_image(image)
    assert (values.shape, str(values.dtype)) == (shape, pixels)
    np.testing.assert_array_equal(values, np.broadcast_to(np.array(expected, values.dtype), shape))
    assert probe_image(image) == ImageKind(2, 3, pixels)  # type: ignore[arg-type]


def test_palettes_become_their_colours() -> None:
    image = Image.new("P", (3, 2), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    assert read_image(image)[1, 2].tolist() == [10, 20, 30]


def test_palettes_with_opacities_give_their_colours_without_a_warning(colours: Bytes) -> None:
    image = Image.fromarray(colours).quantize(16)
    expected = np.asarray(image.convert("RGB"))
    opacities: list[tuple[str, bytes | int]] = [("PNG", bytes(range(0, 256, 16))), ("PNG", 3), ("GIF", 3)]
    for kind, transparency in opacities:
        data = io.BytesIO()
        image.save(data, kind, transparency=transparency, optimize=False)
        np.testing.assert_array_equal(read_image(data.getvalue()), expected)
        with Image.open(data) as held:
            np.testing.assert_array_equal(read_image(held), expected)
            assert held.info["transparency"] == transparency


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_neither_clipped_nor_rounded(kind: str) -> None:
    wide = (np.arange(255) * 257).astype(np.uint16).reshape(15, 17)
    encoded = encode(wide, kind)
    values = read_image(encoded)
    assert values.dtype == np.uint16
    np.testing.assert_array_equal(values, wide)
    assert probe_image(encoded) == ImageKind(15, 17, "uint16")


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bit_colours_keep_all_their_bits(suffix: str) -> None:
    # A 12-bit camera fills the lower bits alone: Pillow's upper 8 would leave nearly nothing.
    wide = np.random.default_rng(0).integers(0, 4096, (4, 6, 3), np.uint16)
    encoded = cv2.imencode(suffix, np.ascontiguousarray(wide[:, :, ::-1]))[1].tobytes()
    np.testing.assert_array_equal(read_image(encoded), wide)
    assert probe_image(encoded) == ImageKind(4, 6, "uint16")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bit_colours_are_turned_upright(orientation: int) -> None:
    wide = np.random.default_rng(0).integers(0, 65536, (4, 6, 3), np.uint16)
    encoded = cv2.imencode(".png", np.ascontiguousarray(wide[:, :, ::-1]))[1].tobytes()
    exif = oriented(orientation).tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    encoded = encoded[:33] + chunk + encoded[33:]  # behind the header chunk
    np.testing.assert_array_equal(read_image(encoded), upright(wide, orientation))


def test_truncated_16_bit_colours_are_refused() -> None:
    wide = np.random.default_rng(0).integers(0, 65536, (40, 60, 3), np.uint16)
    encoded = cv2.imencode(".png", wide)[1].tobytes()
    with pytest.raises(ImageError, match="cut short"):
        read_image(encoded[: len(encoded) // 2])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_exif_orientation_is_applied(tmp_path: Path, colours: Bytes, kind: str, orientation: int) -> None:
    pixels = np.repeat(np.repeat(colours, 16, axis=0), 16, axis=1)
    path = tmp_path / f"turned.{kind.lower()}"
    path.write_bytes(encode(pixels, kind, exif=oriented(orientation)))
    expected = upright(pixels, orientation)
    values = read_image(path)
    assert values.shape == expected.shape
    if kind == "JPEG":
        expected = upright(read_image(encode(pixels, kind)), orientation)
    np.testing.assert_array_equal(values, expected)
    assert probe_image(path) == ImageKind(expected.shape[0], expected.shape[1], "uint8")
    with Image.open(path) as image:
        assert probe_image(image) == ImageKind(expected.shape[0], expected.shape[1], "uint8")
        np.testing.assert_array_equal(read_image(image), expected)


BROKEN_EXIF = {
    "a fraction before it lies outside": (0x10E, 5, 1, 90),
    "a number stands where text belongs": (0x151, 11, 1, 0),
}


@pytest.mark.parametrize("tag", BROKEN_EXIF.values(), ids=BROKEN_EXIF)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "CMYK"])
def test_the_orientation_counts_whatever_else_of_exif_is_wrong(
    colours: Bytes, kind: str, tag: tuple[int, int, int, int]
) -> None:
    image = Image.fromarray(np.repeat(np.repeat(colours, 16, axis=0), 16, axis=1))
    tags = sorted([(0x112, 3, 1, 6 << 16), tag])
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, len(tags)) + b"".join(struct.pack(">HHII", *each) for each in tags)

    def file(exif: bytes) -> bytes:
        buffer = io.BytesIO()
        options: dict[str, Any] = {"exif": exif} if exif else {}
        if kind == "CMYK":
            image.convert("CMYK").save(buffer, "JPEG", **options)
        else:
            image.save(buffer, kind, lossless=True, **options)
        return buffer.getvalue()

    stored, turned = read_image(file(b"")), file(exif + bytes(8))
    with warnings.catch_warnings():
        if kind in {"JPEG", "CMYK"}:
            warnings.simplefilter("ignore")  # Pillow warns as it opens them
        np.testing.assert_array_equal(read_image(turned), upright(stored, 6))
        assert probe_image(turned) == ImageKind(7 * 16, 5 * 16, "uint8")
        for block in (b"Exif\0\0", b"Exif\0\0no tags", b"Exif\0\0MM\0*\xff\xff\xff\xff\0\0"):
            np.testing.assert_array_equal(read_image(file(block)), stored)


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"><tiff:Orientation>6</tiff:Orientation>'
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def test_an_orientation_told_by_xmp_alone_is_applied(colours: Bytes) -> None:
    jpeg, png, wide = encode(colours, "JPEG"), encode(colours), cv2.imencode(".png", colours.astype(np.uint16) * 257)[1]
    segment = b"http://ns.adobe.com/xap/1.0/\0" + XMP
    body = b"iTXtXML:com.adobe.xmp" + bytes(5) + XMP
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    for whole in (png, wide.tobytes()):
        at = whole.index(b"IDAT") - 4
        np.testing.assert_array_equal(read_image(whole[:at] + chunk + whole[at:]), upright(read_image(whole), 6))
    turned = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]
    np.testing.assert_array_equal(read_image(turned), upright(read_image(jpeg), 6))


def test_the_orientation_of_a_tiff_counts_where_xmp_says_it_too(colours: Bytes) -> None:
    packet = b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>' + XMP + b'<?xpacket end="w"?>'
    for orientation in (1, 6):
        data = io.BytesIO()
        tags = [(700, "B", len(packet), packet, True), (274, "H", 1, orientation, True)]
        tifffile.imwrite(data, colours, photometric="rgb", compression="zlib", extratags=tags)
        np.testing.assert_array_equal(read_image(data.getvalue()), upright(colours, orientation))


def test_large_profiles_and_texts_of_a_png_do_not_matter(colours: Bytes) -> None:
    png, profile = encode(colours), np.random.default_rng(0).bytes(1_500_000)
    at = png.index(b"IDAT") - 4
    for kind, body in (
        (b"iCCP", b"press\0\0" + zlib.compress(profile)),
        (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2_000_000))),
        (b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(profile)),
    ):
        chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for data in (png[:at] + chunk + png[at:], png[:-12] + chunk + png[-12:]):
            np.testing.assert_array_equal(read_image(data), colours)
            assert probe_image(data) == ImageKind(5, 7, "uint8")


@pytest.mark.parametrize(("tag", "read"), [(65_000, True), (42_113, False), (274, False)])
def test_private_tags_of_a_type_of_later_days_are_passed_over(colours: Bytes, tag: int, read: bool) -> None:
    """A tag on which pixels depend is never passed over, whatever its type."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, colours, photometric="rgb", byteorder=">", extratags=[(tag, "H", 1, 1, True)])
    data = buffer.getvalue().replace(struct.pack(">HHI", tag, 3, 1), struct.pack(">HHI", tag, 99, 1))
    assert data != buffer.getvalue()
    if read:
        np.testing.assert_array_equal(read_image(data), colours)
    else:
        with pytest.raises(ImageError, match=f"tag {tag} of its directory is wrong"):
            read_image(data)


def test_a_tiff_described_twice_is_read(colours: Bytes) -> None:
    """As tifffile writes it: the user's description, and the shape."""
    for pixels in (colours, colours.astype(np.uint16) * 257, colours[:, :, 0], colours.astype(np.float32)):
        buffer = io.BytesIO()
        photometric = "rgb" if pixels.ndim == 3 else "minisblack"
        tifffile.imwrite(buffer, pixels, photometric=photometric, description="part 7")
        assert buffer.getvalue().count(struct.pack("<HH", 270, 2)) == 2
        np.testing.assert_array_equal(read_image(buffer.getvalue()), pixels)


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_a_tiff_of_unsorted_tags_is_read_on_request_alone(colours: Bytes, kind: str) -> None:
    pixels, buffer = colours.astype(kind), io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="rgb", metadata=None, byteorder="<")
    data = buffer.getvalue()
    at = data.index(struct.pack("<HH", 282, 5))  # the two resolutions change places
    swapped = data[:at] + data[at + 12 : at + 24] + data[at : at + 12] + data[at + 24 :]
    with pytest.raises(ImageError, match="tag 282 of its directory is wrong"):
        read_image(swapped)
    np.testing.assert_array_equal(read_image(swapped, rules=Rules(accept_damaged=True)), pixels)


def test_cmyk_and_ycbcr_of_a_tiff_become_rgb_and_lab_is_refused(colours: Bytes) -> None:
    for mode, stored in (("YCbCr", colours), ("CMYK", np.dstack([colours, colours[:, :, :1] // 3]))):
        data = io.BytesIO()
        tifffile.imwrite(data, stored, photometric="separated" if mode == "CMYK" else "ycbcr")
        expected = Image.frombytes(mode, (7, 5), stored.tobytes()).convert("RGB")
        np.testing.assert_array_equal(read_image(data.getvalue()), expected)
    lab = io.BytesIO()
    tifffile.imwrite(lab, colours, photometric="cielab")
    with pytest.raises(ImageError, match="holds LAB colours, which is not supported; convert it to RGB"):
        read_image(lab.getvalue())


def test_paths_bytes_and_pillow_agree(tmp_path: Path, colours: Bytes) -> None:
    path = tmp_path / "検査 画像" / "部品 1.png"
    path.parent.mkdir()
    path.write_bytes(encode(colours))
    for source in (path, str(path), path.read_bytes(), Image.fromarray(colours), colours):
        np.testing.assert_array_equal(read_image(source), colours)
        assert probe_image(source) == ImageKind(5, 7, "uint8")
    assert image_name(path) == str(path)
    assert [image_name(source) for source in (b"", colours, Image.fromarray(colours))] == [
        "<bytes>",
        "<array>",
        "<image>",
    ]


def test_arrays_keep_or_name_their_channel_order(colours: Bytes) -> None:
    bgr = colours[:, :, ::-1]
    assert not bgr.flags.c_contiguous
    values = read_image(bgr, channels="BGR")
    np.testing.assert_array_equal(values, colours)
    assert values.flags.c_contiguous
    with_alpha = np.dstack([bgr, np.zeros((5, 7), np.uint8)])
    np.testing.assert_array_equal(read_image(with_alpha, channels="BGR"), colours)
    np.testing.assert_array_equal(read_image(np.dstack([colours, colours[:, :, :1]])), colours)


@pytest.mark.parametrize("source", [b"", np.zeros((2, 2), np.uint8)])
def test_an_unknown_channel_order_is_refused_for_every_source(source: Any) -> None:
    with pytest.raises(OptionError, match=r'"GRB".*give "RGB" or "BGR"'):
        read_image(source, channels="GRB")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("array", "shape", "pixels"),
    [
        (np.zeros((4, 6), np.uint8), (4, 6), "uint8"),
        (np.zeros((4, 6, 1), np.uint16), (4, 6), "uint16"),
        (np.zeros((4, 6), np.float64), (4, 6), "float32"),
        (np.zeros((4, 6, 3), np.float16), (4, 6, 3), "float32"),
        (np.zeros((8, 12, 3), np.uint8)[::2, ::2], (4, 6, 3), "uint8"),
    ],
)
def test_arrays_of_every_kind(array: Array, shape: tuple[int, ...], pixels: str) -> None:
    values = read_image(array)
    assert (values.shape, str(values.dtype)) == (shape, pixels)
    assert probe_image(array) == ImageKind(4, 6, pixels)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 40, 60), np.uint8), "3x40x60 has its channels first; pass height x width x channels"),
        (np.zeros((40, 60, 2), np.uint8), "40x60x2 is no image; pass height x width"),
        (np.zeros(40, np.uint8), "40 is no image; pass height x width"),
        (np.zeros((0, 60), np.uint8), "0x60 holds no pixels"),
        (np.zeros((4, 6), np.int64), "int64 is no image; convert it to uint8"),
        (np.zeros((4, 6), np.bool_), "bool is no image; convert it to uint8"),
        (np.full((4, 6), np.nan, np.float32), "NaN or infinite pixels; mend them"),
        (np.full((4, 6), 1e300), "NaN or infinite pixels; mend them"),
    ],
)
def test_arrays_that_are_no_image(array: Array, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        read_image(array)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_truncated_files_are_refused(tmp_path: Path, kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
    encoded = encode(noise, kind)
    path = tmp_path / "half.img"
    path.write_bytes(encoded[: max(4, int(len(encoded) * share))])
    with pytest.raises(ImageError, match=r"half\.img .*(cut short|misnamed)\?"):
        read_image(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP"])
def test_damaged_bytes_give_an_image_or_an_image_error(colours: Bytes, kind: str) -> None:
    encoded = encode(colours, kind)
    random = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(encoded)
        for place in random.integers(0, len(encoded), 4):
            damaged[place] = random.integers(0, 256)
        for use in (read_image, probe_image):
            with suppress(ImageError):
                use(bytes(damaged))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.png", b"", r"empty\.png is an empty file \(0 bytes\); was it copied wholly\?"),
        ("notes.png", b"these are notes", r"notes\.png is not an image .* damaged or misnamed\?"),
        ("missing.png", None, r"missing\.png does not exist; check the path"),
        (".", None, "is a folder, not an image"),
    ],
)
def test_files_that_are_no_image(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    for use in (read_image, probe_image):
        with pytest.raises(ImageError, match=message):
            use(path)


@pytest.mark.parametrize("source", [None, 3, ["a.png"]])
def test_what_is_no_source_is_refused(source: Any) -> None:
    for use in (read_image, probe_image):
        with pytest.raises(ImageError, match="is no image; pass a path, encoded bytes"):
            use(source)


def test_empty_bytes_are_refused() -> None:
    with pytest.raises(ImageError, match=r"<bytes> is empty \(0 bytes\)"):
        read_image(b"")


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (13_400, 13_400)])
def test_claims_of_huge_sizes_are_refused_before_decoding(width: int, height: int) -> None:
    encoded = bytearray(encode(np.zeros((1, 1), np.uint8)))
    encoded[16:24] = struct.pack(">II", width, height)
    encoded[29:33] = struct.pack(">I", zlib.crc32(encoded[12:29]))
    for use in (read_image, probe_image):
        with pytest.raises(ImageError, match=r"<bytes> claims .*178,956,970"):
            use(bytes(encoded))


def test_the_bound_holds_for_images_that_are_open() -> None:
    rules = Rules(bounds=Bounds(pixels=5))
    for use in (read_image, probe_image):
        with pytest.raises(ImageError, match="claims 3 x 2 pixels"):
            use(Image.new("L", (3, 2)), rules=rules)


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "PNG", "WEBP"])
def test_files_of_several_pages_are_refused(tmp_path: Path, kind: str) -> None:
    pages = [Image.new("L", (3, 2), grey) for grey in (0, 255)]
    path = tmp_path / "pages.img"
    pages[0].save(path, kind, save_all=True, append_images=pages[1:])
    with pytest.raises(ImageError, match=r"pages\.img holds 2 pages or frames; save the one to inspect"):
        read_image(path)


def test_float_and_32_bit_files_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "height map.tiff"
    Image.fromarray(np.array([[0.5, np.inf]], np.float32)).save(path)
    with pytest.raises(ImageError, match=r"height map\.tiff holds NaN or infinite"):
        read_image(path)
    tifffile.imwrite(path, np.array([[0, -1]], np.int16), photometric="minisblack")
    with pytest.raises(ImageError, match=r"holds values below 0 or above 65535; save it as 16-bit unsigned"):
        read_image(path)
    Image.fromarray(np.array([[0, 70_000]], np.int32)).save(path)
    with pytest.raises(ImageError, match=r"height map\.tiff holds values below 0 or above 65535; save it as"):
        read_image(path)
