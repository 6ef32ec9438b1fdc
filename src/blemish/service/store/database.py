"""One SQLite file: how it is opened, brought to the present form, and read from any thread."""

import re
import sqlite3
import threading
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from weakref import WeakSet

from blemish.errors import DataError
from blemish.service.clock import now

__all__ = ["DATABASE", "Database", "is_blank"]

DATABASE = "station.db"
WAIT = 10.0
"""Seconds that one connection waits for another."""


def is_blank(path: Path) -> bool:
    """Whether a database is missing, or nothing was ever done in it: all that is done leaves a row in its audit log."""
    if not path.is_file() or not path.stat().st_size:
        return True
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            audited = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit'").fetchone()
            return audited is None or connection.execute("SELECT 1 FROM audit LIMIT 1").fetchone() is None
    except sqlite3.Error:
        return False  # opening it says what is wrong


class Database:
    """The file station.db; it is brought to the present form when it is opened, after a backup.

    Raises DataError where it is newer than this program, damaged, or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / DATABASE
        self._own = threading.local()
        self._readers: WeakSet[_Reader] = WeakSet()
        self._lock = threading.Lock()
        try:
            self._migrate(folder / "backups")
        except sqlite3.Error as error:
            raise DataError(
                f"{self.path} cannot be opened ({error}); check its permissions and the free space of its disk, or "
                f"restore a backup (docs/station.md)."
            ) from None

    def connect(self, *, writing: bool = False) -> sqlite3.Connection:
        """A new connection; its owner closes it."""
        connection = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys=ON")
        if writing:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")  # acknowledged means on the disk
        else:
            connection.execute("PRAGMA query_only=ON")
        return connection

    @property
    def reader(self) -> sqlite3.Connection:
        """This thread's connection for reading; it is closed when the thread ends."""
        reader: _Reader | None = getattr(self._own, "reader", None)
        if reader is None:
            reader = self._own.reader = _Reader(self.connect())
            with self._lock:
                self._readers.add(reader)
        return reader.connection

    def close(self) -> None:
        """Close all readers; no thread may read any more."""
        with self._lock:
            for reader in list(self._readers):
                reader.connection.close()
            self._readers.clear()

    def _migrate(self, backups: Path) -> None:
        steps = _migrations()
        connection = self.connect(writing=True)
        try:
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version > len(steps):
                raise DataError(
                    f"{self.path} was written by a newer blemish (form {version}, this one knows {len(steps)}); "
                    f"install that version, or restore a backup."
                )
            for number in range(version, len(steps)):
                if version:  # a new one has nothing to lose
                    _back_up(connection, backups, number)
                connection.executescript(f"BEGIN;\n{steps[number]}\nPRAGMA user_version={number + 1};\nCOMMIT;")
        finally:
            connection.close()


class _Reader:
    """A connection that ends with whoever holds it: threads come and go while a station runs for years."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()


def _migrations() -> list[str]:
    """The SQL that makes each form of the database from the one before."""
    folder = files("blemish.service.store") / "migrations"
    named = sorted(entry.name for entry in folder.iterdir() if re.fullmatch(r"\d{3}_\w+\.sql", entry.name))
    return [(folder / name).read_text("utf-8") for name in named]


def _back_up(connection: sqlite3.Connection, backups: Path, version: int) -> None:
    """A whole copy of the database as it is before a migration."""
    backups.mkdir(exist_ok=True)
    stamp = re.sub(r"\D", "", now())
    connection.execute("VACUUM INTO ?", [str(backups / f"station-form-{version}-{stamp}.db")])
