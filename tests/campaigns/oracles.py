"""What decoders that nobody here wrote say of a file: djpeg, pngcheck, libvips, tifffile and imagecodecs."""

import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import tifffile

__all__ = ["missing_programs", "refusal"]

PROGRAMS = ("djpeg", "pngcheck", "vips")
"""Debian packages libjpeg-turbo-progs, pngcheck, libvips-tools."""


def missing_programs() -> list[str]:
    """Those that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def refusal(data: bytes, format: str) -> str | None:
    """Who refuses the file, and why; None: nobody."""
    for oracle in ORACLES[format]:
        why = oracle(data)
        if why is not None:
            return f"{oracle.__name__.strip('_')}: {why}"
    return None


def _djpeg(data: bytes) -> str | None:
    done = subprocess.run(["djpeg", "-outfile", "/dev/null"], input=data, capture_output=True, check=False)
    words = done.stderr.decode(errors="replace").strip()
    return words or f"exit code {done.returncode}" if words or done.returncode else None


def _pngcheck(data: bytes) -> str | None:
    return _of_file(data, ".png", ["pngcheck", "-q"])


def _vips(data: bytes) -> str | None:
    return _of_file(data, ".img", ["vips", "copy"], "[fail-on=error]", "x.v")


def _of_file(data: bytes, suffix: str, command: list[str], options: str = "", *more: str) -> str | None:
    """What a program says of a file that it must be given by name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"x{suffix}")
        path.write_bytes(data)
        words = [*command, f"{path}{options}", *(str(Path(folder, each)) for each in more)]
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    return (done.stderr + done.stdout).strip()[:200] if done.returncode else None


def _tifffile(data: bytes) -> str | None:
    # The page by itself: a damaged description, which imread takes for the shape, does not touch the pixels.
    return _of_call(lambda: tifffile.TiffFile(io.BytesIO(data)).pages.first.asarray())


def _webp(data: bytes) -> str | None:
    return _of_call(lambda: imagecodecs.webp_decode(data))


def _gif(data: bytes) -> str | None:
    return _of_call(lambda: imagecodecs.gif_decode(data))


def _jpeg2k(data: bytes) -> str | None:
    return _of_call(lambda: imagecodecs.jpeg2k_decode(data))


def _bmp(data: bytes) -> str | None:
    return _of_call(lambda: imagecodecs.bmp_decode(data))


def _of_call(decode: Callable[[], object]) -> str | None:
    try:
        decode()
    except Exception as error:  # each codec has its own
        return f"{type(error).__name__}: {error}"[:200]
    return None


ORACLES: dict[str, list[Callable[[bytes], str | None]]] = {
    "JPEG": [_djpeg],
    "PNG": [_pngcheck],
    "TIFF": [_tifffile, _vips],
    "BMP": [_bmp],
    "PNM": [_vips],
    "WebP": [_webp, _vips],
    "GIF": [_gif, _vips],
    "JPEG 2000": [_jpeg2k],
}
