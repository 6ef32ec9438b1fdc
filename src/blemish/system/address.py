"""A place in a bucket, such as s3://plant/good/1.png, with what else is asked of a path."""

import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from blemish.errors import DataError
from blemish.system.buckets import Bucket, Seen, bucket_at, cause, check_no_secret
from blemish.system.whole_file import write_whole

__all__ = ["Address", "Place", "address_of", "identity", "place_of", "stamp", "write_at"]

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+([^/?]*)/*(.*)", re.DOTALL)
"""A drive of Windows has one letter. As a path, s3://plant has become s3:/plant."""
_QUERY = re.compile(r"\?\w+=[^?*\[\]]*$")
"""How a server is named behind an address; any other ? is part of a pattern."""
_PROBE = ".probe.tmp"


@dataclass(frozen=True)
class Address:
    """Never changes; one that was listed carries what the bucket said of it, so that nobody asks again."""

    root: str
    """Scheme and bucket: s3://plant."""
    key: str = ""
    """What follows in the bucket: good/1.png."""
    query: str = ""
    """How the server is reached, if that must be said: ?region=eu-central-1."""
    seen: Seen | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.root}/{self.key}".rstrip("/") + self.query

    def __fspath__(self) -> str:
        return str(self)

    def __truediv__(self, name: str | os.PathLike[str]) -> "Address":
        return self._at(posixpath.join(self.key, os.fspath(name)))

    @property
    def name(self) -> str:
        return posixpath.basename(self.key)

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> "Address":
        return self._at(posixpath.dirname(self.key))

    @property
    def parts(self) -> tuple[str, ...]:
        return self.root, *filter(None, self.key.split("/"))

    def resolve(self) -> "Address":
        """Itself: there are no links."""
        return self

    def relative_to(self, folder: "Path | Address") -> PurePosixPath:
        """The rest of the path. Raises ValueError where it does not lie there."""
        if not isinstance(folder, Address) or folder.root != self.root:
            raise ValueError(f"{self} is not in {folder}")
        return PurePosixPath(self.key).relative_to(folder.key)

    def known(self) -> "Address":
        """The same, with what the bucket says of it, from one or two requests. Raises DataError."""
        return self if self.seen else replace(self, seen=self.status())

    def status(self) -> Seen:
        """What the bucket says of it, or said when it was listed. Raises DataError."""
        return self.seen or self._asked()

    def is_file(self) -> bool:
        return self.status().kind == "file"

    def is_dir(self) -> bool:
        """Whether something lies below it: a bucket has no other folders."""
        return self.status().kind == "folder"

    def exists(self) -> bool:
        return self.status().kind != "none"

    def iterdir(self) -> Iterator["Address"]:
        """The files and folders directly in it. Raises DataError."""
        return self._listed(recursive=False)

    def below(self) -> Iterator["Address"]:
        """All files and folders below it. Raises DataError."""
        return self._listed(recursive=True)

    def read_bytes(self) -> bytes:
        """Its content. Raises OSError."""
        return self._bucket.read(self.key)

    def read_start(self, count: int) -> bytes:
        """Its first bytes. Raises OSError."""
        return self._bucket.read(self.key, count)

    def write_bytes(self, content: bytes) -> None:
        """Write it whole or not at all. Raises OSError."""
        self._bucket.write(self.key, content)

    def check_writable(self) -> None:
        """Find out before the work whether it can be written, by an empty object beside it. Raises DataError."""
        beside = self.parent / _PROBE
        try:
            beside.write_bytes(b"")
            with suppress(FileNotFoundError):  # another command tries the same place
                self._bucket.remove(beside.key)
        except OSError as error:
            raise DataError(f"{self} cannot be written: {cause(error)}.") from None

    @property
    def _bucket(self) -> Bucket:
        return bucket_at(self.root, self.query)

    def _at(self, key: str) -> "Address":
        return Address(self.root, key.strip("/"), self.query)

    def _asked(self) -> Seen:
        try:
            return self._bucket.seen(self.key)
        except OSError as error:
            raise self._failed(error) from None

    def _listed(self, *, recursive: bool) -> Iterator["Address"]:
        try:
            found = list(self._bucket.listed(self.key, recursive=recursive))
        except OSError as error:
            raise self._failed(error) from None
        return (replace(self / name, seen=seen) for name, seen in found)

    def _failed(self, error: OSError) -> DataError:
        return DataError(f"{self} cannot be used: {cause(error)}.")


Place: TypeAlias = Path | Address
"""Where a file or folder is: on a disk of this machine, or in a bucket."""


def address_of(path: str | os.PathLike[str]) -> Address | None:
    """The address that a text or path is; None for a path of this machine, and for one that exists here as it stands.

    Raises OptionError where it holds a secret.
    """
    if isinstance(path, Address):
        return path
    text = os.fspath(path)
    found = _ADDRESS.match(text)
    if not found or os.path.lexists(text):
        return None
    check_no_secret(text)
    query = _QUERY.search(text)
    rest = found[3][: len(found[3]) - len(query[0])] if query else found[3]
    return Address(f"{found[1].lower()}://{found[2]}", rest.strip("/"), query[0] if query else "")


def place_of(path: str | os.PathLike[str]) -> Place:
    """The address or the path."""
    return address_of(path) or Path(path)


def identity(place: str | os.PathLike[str]) -> str:
    """The same for one file by several ways to it."""
    address = address_of(place)
    return os.path.realpath(place) if address is None else str(address)


def stamp(place: str | os.PathLike[str]) -> tuple[int, int]:
    """Size and time of writing, in nanoseconds, by which a file that was written anew is noticed. Raises OSError."""
    address = address_of(place)
    if address is None:
        found = os.stat(place)
        return found.st_size, found.st_mtime_ns
    seen = address.status()
    if seen.kind != "file":
        raise FileNotFoundError(str(address))
    return seen.size, seen.written


def write_at(place: Place, content: bytes) -> None:
    """Write a file whole or not at all, wherever it is. Raises OSError."""
    if isinstance(place, Address):
        place.write_bytes(content)
    else:
        write_whole(place, content)
