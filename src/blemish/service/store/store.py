"""One folder that holds all of a station: database, models, pictures. One process at a time works in it."""

import logging
import os
import shutil
import sqlite3
import sys
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from blemish.errors import DataError
from blemish.service.store.audit import record
from blemish.service.store.database import DATABASE, Database, is_blank
from blemish.service.store.inspections import lose_pending
from blemish.service.store.jobs import interrupt_running
from blemish.service.store.pictures import Pictures
from blemish.service.store.tokens import Tokens
from blemish.service.store.writer import Change, Writer

if sys.platform != "win32":
    import fcntl

__all__ = ["Store"]

log = logging.getLogger("blemish.service")
T = TypeVar("T")
BALLAST = 64 << 20
"""Bytes that are given up when the disk is full, so that verdicts can still be recorded."""

TRIAL = 1 << 20
"""Bytes that a disk must take to count as no longer full."""


class Store:
    """Opens the folder, repairs what a kill left, and gives access: `read` from any thread, `write` one at a time.

    Args:
        folder: The station's folder; it is made where there is none.
        adopt: Start with an empty database though there are pictures already.
        ballast: Bytes to keep for a full disk.

    Raises:
        DataError: The folder cannot be used; the message says why.
    """

    def __init__(self, folder: Path, *, adopt: bool = False, ballast: int = BALLAST) -> None:
        self.folder, self._ballast, self._size = folder, folder / "ballast", ballast
        self._lock = _locked(folder)
        try:
            self._open(adopt=adopt)
        except BaseException:
            os.close(self._lock)  # so that another try in this process is not refused
            raise

    def _open(self, *, adopt: bool) -> None:
        if not adopt and is_blank(self.folder / DATABASE) and any((self.folder / "images").glob("??/*")):
            raise DataError(
                f"{self.folder} holds pictures, but its {DATABASE} is missing or empty: was it lost? Restore a backup "
                f"of it; or start with --adopt, which keeps the pictures and forgets what they were."
            )
        self.database = Database(self.folder)
        self.models, self.work = self.folder / "models", self.folder / "work"
        shutil.rmtree(self.work, ignore_errors=True)  # half-made models
        for each in (self.models, self.work, self.folder / "images"):
            each.mkdir(exist_ok=True)
        self.pictures = Pictures(self.folder / "images")
        self.pictures.sweep()
        self.full = False
        """Whether the disk did not take the last thing that was written."""
        self._fill_ballast(self._size)
        self.tokens = Tokens()
        connect = partial(self.database.connect, writing=True)
        self.writer = Writer(lambda: self.tokens.watch(connect()), self._give_up_ballast, self.tokens.settle)
        self.lost = self.write(partial(lose_pending, pictures=self.pictures))
        """Inspections whose picture was not yet written when the station was killed."""
        if adopt:  # from now on this database is the one that belongs to the pictures
            self.write(lambda connection: record(connection, "--adopt", "store.adopt", str(DATABASE)))
        self._sweep_models()
        self.write(interrupt_running)
        self._sweep_uploads()

    @property
    def read(self) -> sqlite3.Connection:
        """This thread's connection for reading."""
        return self.database.reader

    def write(self, change: Change[T]) -> T:
        """Make a change and wait until it is on the disk. Raises what it raises, and Problem (disk-full)."""
        return self.writer.write(change)

    def submit(self, change: Change[T], *, here: bool = False) -> "Future[T]":
        """Make a change; the future is done when it is on the disk. With `here`, by this thread if no other writes."""
        return self.writer.submit(change, here=here)

    def look_again(self) -> None:
        """Where the disk was full: whether it takes something now. Bytes are set aside again for the next time."""
        if self.full:
            if not self._takes(TRIAL):
                return
            log.warning("the disk takes what is written again")
            self.full = False
        self._fill_ballast(self._size)

    def strays(self) -> list[Path]:
        """Model files that no version lists, such as where the database is older than they are."""
        listed = {f"{id}-{sha256[:16]}" for id, sha256 in self.read.execute("SELECT id, sha256 FROM version")}
        return sorted(path for path in self.models.glob("*/*") if path.stem not in listed)

    def close(self) -> None:
        """Write what waits, and let the folder go."""
        self.writer.close()
        self.database.close()
        os.close(self._lock)

    def _sweep_models(self) -> None:
        """Delete models that came into their place, but not into the list: their job was killed in between."""
        for row in self.read.execute("SELECT id FROM job WHERE state = 'running' AND version IS NULL").fetchall():
            for path in self.models.glob(f"*/{row['id']}-*"):
                path.unlink()

    def _sweep_uploads(self) -> None:
        """Delete models that came for jobs which are over: a kill may leave them."""
        rows = self.read.execute(
            "SELECT json_extract(ask, '$.file') FROM job WHERE state = 'queued' AND kind = 'upload'"
        )
        wanted = {row[0] for row in rows}
        for path in (self.folder / "uploads").glob("*"):
            if path.name not in wanted:
                path.unlink()

    def _takes(self, size: int) -> bool:
        trial = self.folder / "trial"
        try:
            trial.write_bytes(bytes(size))
            return True
        except OSError:
            return False
        finally:
            with suppress(OSError):
                trial.unlink()

    def _fill_ballast(self, size: int) -> None:
        if size and not self._ballast.exists() and shutil.disk_usage(self.folder).free > 4 * size:
            with self._ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size) if hasattr(os, "posix_fallocate") else file.truncate(size)

    def _give_up_ballast(self) -> bool:
        if not self.full:
            log.warning("the disk is full: verdicts may not be recorded; free some space")
        self.full = True
        with suppress(OSError):
            self._ballast.unlink()
            return True
        return False


def _locked(folder: Path) -> int:
    """Hold the folder, which is made where there is none. Raises DataError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds digests of passwords, and parts of customers
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written ({error.strerror or error}); a station needs its folder."
        ) from None
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise DataError(f"Another blemish serve is at work in {folder}; stop it first.") from None
    return descriptor
