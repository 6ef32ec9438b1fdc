"""Buckets behind addresses such as s3://plant/good: by pyarrow, which is imported where one is given.

Who may read and write a bucket is what the cloud says of each machine (its role, its environment): no secret is asked
for, passed on or kept here.
"""

import os
import posixpath
import secrets
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from blemish.errors import DataError, OptionError

__all__ = ["Bucket", "Seen", "bucket_at", "cause", "check_no_secret"]

SECRET = "key", "secret", "token", "password", "sig", "credential"
"""Words in the names of what must not stand in an address."""


class Seen(NamedTuple):
    """What a bucket says of an object."""

    kind: Literal["file", "folder", "none"]
    size: int = 0
    written: int = 0
    """Nanoseconds since 1970."""


class Bucket:
    """The files of one bucket, or of a folder of this machine, by names with slashes. Its methods raise OSError."""

    def __init__(self, files: Any, base: str) -> None:
        self._files, self._base = files, base

    def seen(self, name: str) -> Seen:
        """What is under this name, from one or two requests."""
        return _seen(self._files.get_file_info(self._path(name)))

    def listed(self, name: str, *, recursive: bool = False) -> Iterator[tuple[str, Seen]]:
        """The names of what is directly in a folder, or of all below it, counted from there; a request a thousand."""
        from pyarrow import fs

        path = self._path(name)
        for each in self._files.get_file_info(fs.FileSelector(path, recursive=recursive)):
            yield each.path[len(path) :].strip("/"), _seen(each)

    def read(self, name: str, most: int | None = None) -> bytes:
        """The content of a file, or its first bytes, by two requests: pyarrow asks for the size first."""
        with self._files.open_input_file(self._path(name)) as file:
            content: bytes = file.read() if most is None else file.read(most)
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write under another name and rename: under its own a file is whole or absent. Large ones go in parts."""
        temporary = self._path(posixpath.join(posixpath.dirname(name), f".{secrets.token_hex(8)}.tmp"))
        try:
            with self._files.open_output_stream(temporary) as file:
                file.write(content)
            self._files.move(temporary, self._path(name))
        except OSError:
            with suppress(OSError):  # half a file is of no use, and holds room on a full disk
                self._files.delete_file(temporary)
            raise

    def remove(self, name: str) -> None:
        """Delete a file."""
        self._files.delete_file(self._path(name))

    def make_folder(self, name: str) -> None:
        """Make a folder, with those above it."""
        self._files.create_dir(self._path(name), recursive=True)

    def _path(self, name: str) -> str:
        return posixpath.join(self._base, name).rstrip("/") if name else self._base


def bucket_at(root: str, query: str) -> Bucket:
    """The bucket of a root such as s3://plant, with the query of the address.

    Raises OptionError where pyarrow is missing, for a secret in the address, and where there is no such kind of
    address; DataError where it cannot be reached.
    """
    check_no_secret(root + query)
    if not find_spec("pyarrow"):
        raise OptionError(
            f"{root} is an address, and buckets need the package pyarrow, which is not installed; install it with: "
            f"pip install pyarrow."
        )
    # A variable that names another server than Amazon's counts when a file system is opened.
    return _opened(root, _with_small_files(root, query), os.environ.get("AWS_ENDPOINT_URL"))


@lru_cache(maxsize=64)
def _opened(root: str, query: str, server: str | None) -> Bucket:
    """Opened once in a process: its threads share the connections."""
    from pyarrow import fs

    try:
        files, base = fs.FileSystem.from_uri(root + query)
    except ValueError as error:
        raise OptionError(f"{root} cannot be used: {cause(error)}; give a folder, s3://, gs:// or abfs://.") from None
    except OSError as error:
        raise DataError(f"{root} cannot be used: {cause(error)}.") from None
    return Bucket(files, base.strip("/"))


def _with_small_files(root: str, query: str) -> str:
    """The query such that a small file is sent to S3 by one request, not by the three of one sent in parts."""
    if not root.startswith("s3://") or "allow_delayed_open" in query:
        return query
    return f"{query or '?'}{'&' if query else ''}allow_delayed_open=true"


def check_no_secret(place: str) -> None:
    """Raise OptionError for an address that holds a password or key: it would stand in messages and in Ray's logs."""
    if "://" not in place:
        return
    parts = urlsplit(place)
    named = [name.lower() for name, _ in parse_qsl(parts.query)]
    if parts.password is not None or any(word in name for name in named for word in SECRET):
        raise OptionError(
            f"The address of {parts.scheme}://{parts.hostname or ''}{parts.path} holds a password or a key; leave it "
            f"out, and let the cloud grant access to the machines (a role, or variables of their environment)."
        )


def cause(error: Exception) -> str:
    """What a file system says of an error, as the end of a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def _seen(info: Any) -> Seen:
    if info.is_file:
        return Seen("file", info.size or 0, info.mtime_ns or 0)
    return Seen("none" if info.type.name == "NotFound" else "folder")
