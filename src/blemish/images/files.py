"""Find image files by what users name: files, folders and patterns, alike on every system."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from blemish.errors import DataError

__all__ = ["SUFFIXES", "contents", "is_image", "list_images", "listed"]

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""File name endings taken for images, in lower case."""


def list_images(sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Find the images that files, folders and patterns (`*`, `?`, `[ab]`, `**` for any depth) name.

    Patterns are expanded here, alike on every system, ignoring case; whatever exists under the literal name comes
    first, so `part[1].png` may be a file's name. A folder gives the images directly in it. Within one source images
    are sorted as people count (`img2` before `img10`); an image named twice is listed once. Hidden files are left out.
    Raises DataError for what is absent, for a file that is no image, and for a folder or pattern without images.
    """
    several = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    if not several:
        raise DataError("No images were named; give files, folders or patterns such as line-3/*.png.")
    return list(dict.fromkeys(path for source in several for path in _images_of(Path(source))))


def _images_of(source: Path) -> list[Path]:
    """The images one file, folder or pattern names, sorted."""
    if source.is_file():
        if not is_image(source):
            raise DataError(f"{source} does not end like an image; known are {', '.join(sorted(SUFFIXES))}.")
        return [source]
    if source.is_dir():
        found = [path for path in source.iterdir() if path.is_file() and is_image(path)]
    elif any(character in str(source) for character in "*?["):
        found = [path for path in _expand(*_literal_prefix(source)) if is_image(path)]
    else:
        raise DataError(f"{source} does not exist; check the path.")
    if not found and source.is_dir():
        raise DataError(
            f"{source} holds no images ({contents(source)}); name a folder that does, or {source / '**'} to search "
            "all below it."
        )
    if not found:
        raise DataError(f"No image matches {source}; check the pattern.")
    return sorted(found, key=_natural)


def is_image(path: Path) -> bool:
    """Whether a file is taken for an image: by its ending, and not hidden."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _natural(path: Path) -> tuple[list[str | int], str]:
    """A sorting key that compares runs of digits as numbers."""
    # Splitting at a captured group alternates text and digits, so strings never meet numbers.
    pieces: list[str | int] = list(re.split(r"([0-9]+)", str(path).lower()))
    pieces[1::2] = map(int, pieces[1::2])
    return pieces, str(path)


def _literal_prefix(pattern: Path) -> tuple[Path, Sequence[str]]:
    """Split a pattern into the longest folder that exists under its literal name, and the parts left to match."""
    for depth in range(len(pattern.parts) - 1, 0, -1):
        folder = Path(*pattern.parts[:depth])
        if folder.is_dir():
            return folder, pattern.parts[depth:]
    return Path(), pattern.parts


def _expand(folder: Path, parts: Sequence[str]) -> Iterator[Path]:
    """The files below `folder` whose relative path matches the pattern's parts, in no order."""
    first, rest = parts[0], parts[1:]
    entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    if first == "**":
        yield from _expand(folder, rest or ["*"])
        for entry in entries:
            # A link to a folder could lead back up and never end.
            if entry.is_dir(follow_symlinks=False):
                yield from _expand(folder / entry.name, parts)
        return
    for entry in entries:
        if not fnmatchcase(entry.name.lower(), first.lower()):
            continue
        if rest and entry.is_dir():
            yield from _expand(folder / entry.name, rest)
        elif not rest and entry.is_file():
            yield folder / entry.name


def listed(paths: Iterable[Path], shown: int = 3) -> str:
    """Name the first few files and count them all, as the beginning of a sentence with its verb."""
    names = sorted(map(str, paths))
    more = f" and {len(names) - shown} more ({len(names)} in all)" if len(names) > shown else ""
    return f"{', '.join(names[:shown])}{more} {'is' if len(names) == 1 else 'are'}"


def contents(folder: Path) -> str:
    """What a folder holds instead, for messages."""
    if not folder.is_dir():
        return "it does not exist"
    names = sorted(f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir())
    return f"found {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}" if names else "it is empty"
