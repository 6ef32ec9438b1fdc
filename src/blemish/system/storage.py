"""A folder of whole files: of this machine, of a shared disk, or of a bucket (s3://, gs://, abfs://) by pyarrow."""

import posixpath
from contextlib import suppress
from pathlib import Path

from blemish.errors import DataError
from blemish.system.address import address_of
from blemish.system.buckets import Bucket, bucket_at, cause

__all__ = ["Storage"]


class Storage:
    """Files by name. A file is written under another name and renamed: under its own it is whole or absent."""

    def __init__(self, place: str) -> None:
        """Raises OptionError where there is no such kind of place, DataError where it cannot be reached."""
        self.place = place
        address = address_of(place)
        if address is None:
            from pyarrow import fs

            self._bucket, self._folder = Bucket(fs.LocalFileSystem(), str(Path(place).resolve())), ""
        else:
            self._bucket, self._folder = bucket_at(address.root, address.query), address.key
        try:
            self._bucket.make_folder(self._folder)
        except OSError as error:
            raise self._failed(error) from None

    def put(self, name: str, content: bytes) -> None:
        """Write a file whole. Raises DataError."""
        try:
            self._bucket.write(self._named(name), content)
        except OSError as error:
            raise self._failed(error) from None

    def get(self, name: str) -> bytes | None:
        """A file's content; None where there is none. Raises DataError."""
        try:
            return self._bucket.read(self._named(name))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed(error) from None

    def names(self) -> list[str]:
        """The files that are whole, in order."""
        try:
            found = list(self._bucket.listed(self._folder))
        except OSError as error:
            raise self._failed(error) from None
        return sorted(name for name, seen in found if seen.kind == "file" and not name.endswith(".tmp"))

    def remove(self, names: list[str]) -> None:
        """Delete files, of which some may be gone. Raises DataError."""
        try:
            for name in names:
                with suppress(FileNotFoundError):
                    self._bucket.remove(self._named(name))
        except OSError as error:
            raise self._failed(error) from None

    def _named(self, name: str) -> str:
        return posixpath.join(self._folder, name)

    def _failed(self, error: OSError) -> DataError:
        return DataError(f"{self.place} cannot be used: {cause(error)}.")
