"""Find image files by what users name: files, folders and patterns, alike on every system."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from blemish.errors import DataError
from blemish.images.mask import masks_beside
from blemish.images.matching import is_pattern, matching
from blemish.system.address import Address, Place, identity, place_of

__all__ = ["SUFFIXES", "Found", "contents", "find_images", "is_image", "list_images", "listed"]

SUFFIXES = frozenset(
    {".bmp", ".jfif", ".jpe", ".jpeg", ".jpg", ".pfm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""File name endings taken for images, in lower case."""


@dataclass(frozen=True)
class Found:
    """The image files that were named, and what was left out of the folders."""

    images: list[Place]
    left_out: Counter[str] = field(default_factory=Counter)
    """How many files or folders, by the words for their kind."""

    def __str__(self) -> str:
        """One sentence about what was left out; empty where that is nothing."""
        kinds = "; ".join(f"{kind} ({count})" for kind, count in self.left_out.most_common())
        return f"{self.left_out.total()} left out: {kinds}." if kinds else ""


def list_images(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], *, recursive: bool = False
) -> list[Place]:
    """The images that `find_images` finds, without a word on what it leaves out."""
    return find_images(sources, recursive=recursive).images


def find_images(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], *, recursive: bool = False
) -> Found:
    """Find the images that files, folders and patterns (`*`, `?`, `[ab]`, `**` for any depth) name, also in buckets.

    Patterns are expanded here, alike on every system, ignoring case; whatever exists under the literal name comes
    first, so `part[1].png` may be a file's name. A folder gives the images directly in it. Within one source images
    are sorted as people count (`img2` before `img10`); an image named twice, or by two ways to it, is listed once.
    Left out are hidden files and, of folders and patterns, masks that lie beside their images, files that do not end
    like an image, links that lead nowhere, and sub-folders, unless `recursive`.
    Raises DataError for what is absent, for a file that is no image, and for a folder or pattern without images.
    """
    several = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    if not several:
        raise DataError("No images were named; give files, folders or patterns such as line-3/*.png.")
    left_out: Counter[str] = Counter()
    once: dict[str, Place] = {}
    for source in several:
        if not os.fspath(source):
            raise DataError("An empty path was given; name a file, a folder or a pattern (is a variable unset?).")
        place = place_of(source)
        for image in _images_of(place / "**" if recursive and place.is_dir() else place, left_out):
            once.setdefault(identity(image), image)
    return Found(list(once.values()), left_out)


def _images_of(source: Place, left_out: Counter[str]) -> list[Place]:
    """The images one file, folder or pattern names, sorted; what is left out is counted."""
    if isinstance(source, Address):
        source = source.known()
    if source.is_file():
        if not is_image(source):
            raise DataError(f"{source} does not end like an image; known are {', '.join(sorted(SUFFIXES))}.")
        return [source]
    if source.is_dir():
        found = _without_others(source.iterdir(), left_out)
    elif is_pattern(source):
        found = _without_others(_matching(source), left_out)
    else:
        raise DataError(f"{source} does not exist; check the path.")
    if not found and source.is_dir():
        raise DataError(
            f"{source} holds no images ({contents(source)}); name a folder that does, or {source / '**'} to search "
            "all below it."
        )
    if not found:
        raise DataError(f"No image matches {source}; check the pattern.")
    masks = masks_beside(found)
    left_out.update({"masks beside their images": len(masks)} if masks else {})
    return sorted(set(found) - masks, key=_natural)


def _without_others(paths: Iterable[Place], left_out: Counter[str]) -> list[Place]:
    """The image files among these; the others are counted by their kind."""
    images = []
    for path in paths:
        if path.is_file() and is_image(path):
            images.append(path)
        elif not path.name.startswith("."):
            left_out[_kind(path)] += 1
    return images


def _kind(path: Place) -> str:
    """What is no image file, in words."""
    if path.is_dir():
        return "sub-folders, which recursive reads"
    if not path.exists():
        return "links that lead nowhere"
    if not path.is_file():
        return "devices or pipes"
    return f"files that end in {path.suffix.lower()}" if path.suffix else "files without an ending"


def is_image(path: Place) -> bool:
    """Whether a file is taken for an image: by its ending, and not hidden."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _natural(path: Place) -> tuple[list[str | int], str]:
    """A sorting key that compares runs of digits as numbers."""
    # Splitting at a captured group alternates text and digits, so strings never meet numbers.
    pieces: list[str | int] = list(re.split(r"([0-9]+)", str(path).lower()))
    pieces[1::2] = map(int, pieces[1::2])
    return pieces, str(path)


def _matching(pattern: Place) -> Iterable[Place]:
    """The files that match a pattern, in no order."""
    if isinstance(pattern, Address):
        return matching(pattern)
    return _expand(*_literal_prefix(pattern))


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
        elif not rest and not entry.is_dir():
            yield folder / entry.name


def listed(paths: Iterable[Place], shown: int = 3) -> str:
    """Name the first few files and count them all, as the beginning of a sentence with its verb."""
    names = sorted(map(str, paths))
    more = f" and {len(names) - shown} more ({len(names)} in all)" if len(names) > shown else ""
    return f"{', '.join(names[:shown])}{more} {'is' if len(names) == 1 else 'are'}"


def contents(folder: Place) -> str:
    """What a folder holds instead, for messages."""
    if not folder.is_dir():
        return "it does not exist"
    names = sorted(f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir())
    return f"found {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}" if names else "it is empty"
