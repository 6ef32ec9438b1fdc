"""The time by which things are deleted: no single reading of the clock makes everything old.

A clock that is wrong by years (a dead battery, a typing error) must not take pictures away. So what was known last is
kept in the database. A clock that is further ahead of it than any holidays is not followed: until an engineer says that
it is right, deletion goes by the time that the station has lived since.
"""

import datetime
import sqlite3
import threading
from time import monotonic

from blemish.service.store.store import Store

__all__ = ["Lived"]

LEAP_DAYS = 30
"""A station may be off for so long before its clock is doubted."""
_LEAP = datetime.timedelta(days=LEAP_DAYS)


class Lived:
    """Follows the clock, but not over a leap. `trust` says that the clock is right, whatever was known before."""

    def __init__(self, store: Store, *, trust: bool = False) -> None:
        self._store, self._lock = store, threading.Lock()
        self._known = _wall() if trust else _known(store.read) or _wall()
        self._read = monotonic()

    def now(self) -> datetime.datetime:
        """The time to delete by: never ahead of the clock, nor of what can be believed of it."""
        return min(_wall(), self._follow()[0])

    @property
    def note(self) -> str | None:
        """What an engineer should know, where the clock is not followed."""
        known, wall = self._follow()
        if wall - known <= _LEAP:
            return None
        return (
            f"The clock is {(wall - known).days} days ahead of what was known last: it makes no picture and no row too "
            f"old. Set it; or if it is right, start the station once with --trust-clock."
        )

    def keep(self) -> None:
        """Write down what is known, for after a restart."""
        at = self._follow()[0].isoformat()
        self._store.write(lambda connection: connection.execute("INSERT OR REPLACE INTO lived VALUES (1, ?)", [at]))

    def _follow(self) -> tuple[datetime.datetime, datetime.datetime]:
        """What is known now, and what the clock says."""
        with self._lock:
            wall, read = _wall(), monotonic()
            lived = self._known + datetime.timedelta(seconds=read - self._read)
            self._known = lived if wall - lived > _LEAP else max(self._known, wall)
            self._read = read
            return self._known, wall


def _wall() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _known(connection: sqlite3.Connection) -> datetime.datetime | None:
    """What was written down last, or the time of the newest row; None where there is nothing yet."""
    for query in ("SELECT at FROM lived", "SELECT at FROM inspection ORDER BY seq DESC LIMIT 1"):
        row = connection.execute(query).fetchone()
        if row is not None:
            return datetime.datetime.fromisoformat(row["at"])
    return None
