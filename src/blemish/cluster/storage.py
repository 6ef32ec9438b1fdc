"""A folder of whole files: of this machine, of a shared disk, or of a bucket (s3://, gs://, abfs://) by pyarrow.

Who may read and write a bucket is what the cloud says of each machine (its role, its environment): no secret is asked
for, passed on or kept here.
"""

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from blemish.errors import DataError, OptionError

__all__ = ["Storage"]

SECRET = "key", "secret", "token", "password", "sig", "credential"
"""Words in the names of what must not stand in an address."""


class Storage:
    """Files by name. A file is written under another name and renamed: under its own it is whole or absent."""

    def __init__(self, place: str) -> None:
        """Raises OptionError where there is no such kind of place, DataError where it cannot be reached."""
        from pyarrow import fs

        _check_no_secret(place)
        self.place = place
        try:
            if "://" in place:
                self._files, self._folder = fs.FileSystem.from_uri(_with_small_files(place))
            else:
                self._files, self._folder = fs.LocalFileSystem(), str(Path(place).resolve())
            self._files.create_dir(self._folder, recursive=True)
        except ValueError as error:
            raise OptionError(
                f"{place} cannot be used: {_cause(error)}; give a folder, s3://, gs:// or abfs://."
            ) from None
        except OSError as error:
            raise self._failed(error) from None

    def put(self, name: str, content: bytes) -> None:
        """Write a file whole. Raises DataError."""
        temporary = f"{self._folder}/.{secrets.token_hex(8)}.tmp"
        try:
            with self._files.open_output_stream(temporary) as file:
                file.write(content)
            self._files.move(temporary, f"{self._folder}/{name}")
        except OSError as error:
            with suppress(OSError):  # half a file is of no use, and holds room on a full disk
                self._files.delete_file(temporary)
            raise self._failed(error) from None

    def get(self, name: str) -> bytes | None:
        """A file's content; None where there is none. Raises DataError."""
        try:
            with self._files.open_input_stream(f"{self._folder}/{name}") as file:
                content: bytes = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed(error) from None
        return content

    def names(self) -> list[str]:
        """The files that are whole, in order."""
        from pyarrow import fs

        try:
            found = self._files.get_file_info(fs.FileSelector(self._folder))
        except OSError as error:
            raise self._failed(error) from None
        return sorted(each.base_name for each in found if each.is_file and not each.base_name.endswith(".tmp"))

    def remove(self, names: list[str]) -> None:
        """Delete files, of which some may be gone. Raises DataError."""
        try:
            for name in names:
                with suppress(FileNotFoundError):
                    self._files.delete_file(f"{self._folder}/{name}")
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> DataError:
        return DataError(f"{self.place} cannot be used: {_cause(error)}.")


def _with_small_files(place: str) -> str:
    """The address, such that a small file is sent to S3 by one request, not by the three of one sent in parts."""
    if not place.startswith("s3://") or "allow_delayed_open" in place:
        return place
    return f"{place}{'&' if '?' in place else '?'}allow_delayed_open=true"


def _check_no_secret(place: str) -> None:
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


def _cause(error: Any) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
