"""Which objects of a bucket a pattern names, by the rules of patterns of files, with few requests."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from blemish.system.address import Address, Place

__all__ = ["is_pattern", "matching"]


def is_pattern(place: Place) -> bool:
    """Whether it is written as one (`*`, `?`, `[ab]`): what exists under the literal name comes first all the same."""
    return _is_wild(place.key if isinstance(place, Address) else str(place))


def matching(pattern: Address, *, folders: bool = False) -> Iterator[Address]:
    """The objects, or the folders, that match, in no order. Raises DataError where the bucket cannot be listed.

    Folders are listed down to a `**`; all that lies below it is one list.
    """
    names = pattern.parts[1:]
    literal = next((number for number, name in enumerate(names) if _is_wild(name)), len(names))
    folder = Address(pattern.root, "/".join(names[:literal]), pattern.query)
    found = _expand(folder, names[literal:]) if folder.is_dir() else iter(())
    return (each for each in found if (each.is_dir() if folders else each.is_file()))


def _is_wild(name: str) -> bool:
    return any(character in name for character in "*?[")


def _expand(folder: Address, parts: Sequence[str]) -> Iterator[Address]:
    first, rest = parts[0], parts[1:]
    if first == "**":
        yield from (each for each in folder.below() if _matches(each.relative_to(folder).parts, parts))
        return
    for entry in folder.iterdir():
        if not _is_named(entry.name, first):
            continue
        if rest and entry.is_dir():
            yield from _expand(entry, rest)
        elif not rest:
            yield entry


def _matches(names: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether the names of folders and of a file in them match the parts of a pattern."""
    if not names or not parts:
        return not names and not parts
    if parts[0] != "**":
        return _is_named(names[0], parts[0]) and _matches(names[1:], parts[1:])
    if _matches(names, parts[1:] or ["*"]):
        return True
    return len(names) > 1 and not names[0].startswith(".") and _matches(names[1:], parts)


def _is_named(name: str, part: str) -> bool:
    """Whether a name matches one part; hidden ones never do."""
    return not name.startswith(".") and fnmatchcase(name.lower(), part.lower())
