"""What a command may write over: a file of the kind it writes, and none that it was given to read."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blemish.errors import DataError, OptionError
from blemish.system.address import Address, Place, address_of, place_of
from blemish.system.whole_file import sweep

__all__ = ["ANY", "Kind", "Outputs", "begins", "check_here", "typed"]


@dataclass(frozen=True)
class Kind:
    """What a command writes: its name with its article, and how to tell whether a file is one."""

    name: str
    holds: Callable[[Any], bool]
    in_buckets: bool = False
    """Whether it is also written to addresses, which `holds` then tells as well."""


def begins(name: str, *starts: str) -> Kind:
    """A kind of text file that is known by how it begins."""
    known = tuple(start.encode() for start in starts)
    longest = max(map(len, known))

    def holds(path: Path) -> bool:
        with path.open("rb") as file:
            return file.read(longest).startswith(known)

    return Kind(name, holds)


ANY = Kind("a file", lambda path: True)
"""For files whose writer itself refuses what is not its own."""


class Outputs:
    """The files that one command reads and those that it will write, looked at before the work begins.

    `inputs` are the files it reads. With `force` everything may be written over but what another output has claimed.
    """

    def __init__(self, inputs: Iterable[str | os.PathLike[str]], *, force: bool = False) -> None:
        self._places = [place_of(path) for path in inputs]
        self._inputs = [place for place in self._places if isinstance(place, Path)]
        self._numbers: frozenset[tuple[int, int]] | None = None
        self._force = force
        self._claimed: set[Place] = set()

    def claim(self, path: Place, kind: Kind) -> None:
        """Claim a file to write, and delete what killed runs left beside it.

        Raises DataError where its folder is missing, where it is a folder, where another output has claimed it, and,
        without `force`, where writing would destroy an input or a file of another kind. Devices, pipes and empty
        files may always be written to. Of addresses, those that cannot be written to, too.
        """
        if address := address_of(path):
            self._claim_at(address, kind)
            return
        path = Path(path)
        if not path.resolve().parent.is_dir():
            raise DataError(
                f"The folder {path.parent} for {path.name} does not exist, so it cannot be written; create its folder "
                "first."
            )
        if path.is_dir():
            raise DataError(f"{path} is a folder; name a file in it.")
        if not path.exists() and not os.access(path.resolve().parent, os.W_OK):
            raise DataError(f"The folder {path.parent} cannot be written; choose another for {path.name}.")
        self._take(path, kind)
        sweep(path.resolve().parent)

    def _claim_at(self, address: Address, kind: Kind) -> None:
        """The same for an address. Raises OptionError for what is written as files of this machine only."""
        if not kind.in_buckets:
            raise OptionError(
                f"{address} is an address, and {kind.name} is written as a file of this machine; name a file, and copy "
                f"it."
            )
        if address in self._claimed:
            raise DataError(f"{address} is named for two outputs; give each a name of its own.")
        self._claimed.add(address)
        address = address.known()
        if not address.name or address.is_dir():
            raise DataError(f"{address} is a folder; name a file in it.")
        if address.is_file() and not self._force:
            if address in self._places:
                raise _would_destroy(address)
            if address.status().size and not _is_one(address, kind):
                raise _is_other(address, kind)
        address.check_writable()

    def claim_below(self, folder: Path, paths: Iterable[Path], kind: Kind) -> None:
        """Claim files below a folder, which their writer makes; otherwise as `claim`.

        Raises DataError, too, without `force`, where several of the files to read lie beside them, and OptionError for
        an address.
        """
        check_here(folder)
        targets = list(dict.fromkeys(paths))
        for path in targets:
            self._take(path, kind)
        if not self._force:
            self._refuse_to_mix(targets)
        for place, _, _ in os.walk(folder):
            sweep(Path(place))

    def _take(self, path: Path, kind: Kind) -> None:
        place = path.resolve()
        if place in self._claimed:
            raise DataError(f"{path} is named for two outputs; give each a name of its own.")
        self._claimed.add(place)
        if place.is_file() and not self._force:
            self._refuse_to_destroy(path, kind)

    def _refuse_to_mix(self, targets: Iterable[Path]) -> None:
        """A folder that was read as a whole would be read with the pictures in it the next time."""
        beside = Counter(str(path.parent) for path in self._inputs)
        several = {os.path.realpath(folder) for folder, count in beside.items() if count > 1}
        for folder in {str(path.parent) for path in targets}:
            if os.path.realpath(folder) in several:
                raise DataError(
                    f"{folder} holds images that are read, and pictures written there would be read as images the next "
                    "time; choose another folder, or repeat with --force."
                )

    def _refuse_to_destroy(self, path: Path, kind: Kind) -> None:
        if _number(path) in self._input_numbers():
            raise _would_destroy(path)
        if path.stat().st_size and not _is_one(path, kind):
            raise _is_other(path, kind)

    def _input_numbers(self) -> frozenset[tuple[int, int]]:
        """The inputs as the disk numbers them: one file by two paths, or by a link, is one."""
        if self._numbers is None:
            self._numbers = frozenset(_number(path) for path in self._inputs if path.exists())
        return self._numbers


def check_here(folder: Path) -> None:
    """Raise OptionError for an address in place of a folder."""
    if address := address_of(folder):
        raise OptionError(f"{address} is an address, where a folder of this machine is wanted; name one.")


def _would_destroy(path: Place) -> DataError:
    return DataError(
        f"{path} is one of the files to read, and writing would destroy it; choose another name, or repeat with "
        f"--force."
    )


def _is_other(path: Place, kind: Kind) -> DataError:
    return DataError(
        f"{path} is there and is not {kind.name} written by blemish; choose another name, or repeat with --force to "
        f"write over it."
    )


def _is_one(path: Place, kind: Kind) -> bool:
    try:
        return kind.holds(path)
    except OSError:
        return False


def _number(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def typed(path: Place | str) -> str:
    """A path as one types it."""
    return f'"{path}"' if " " in str(path) else str(path)
