"""Writes pictures after their verdicts were answered, and takes away those that are kept no longer."""

import logging
import queue
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial

from blemish.service.clock import days_before, later
from blemish.service.store.audit_export import export_audit
from blemish.service.store.inspections import picture_stored
from blemish.service.store.recipes import Recipe, list_recipes
from blemish.service.store.store import Store
from blemish.service.work.lived import Lived

__all__ = ["Keeper"]

log = logging.getLogger("blemish.service")
MOST_BYTES = 256 << 20
"""Of pictures that wait to be written; beyond it, their rows say `lost`."""
LOW, EMPTY = (0.10, 8 << 30), (0.02, 1 << 30)
"""A share of the disk, and at most so many bytes: with less than LOW free, pictures are taken away ahead of time; with
less than EMPTY, none is written."""
SWEEP_SECONDS = 600.0
LOOK_SECONDS = 5.0
"""How often a full disk is looked at again: that writes to it, so nobody who only reads (a page, a probe) does it."""
OTHERS = ("NG", "REVIEW", "ERROR")
AT_ONCE = 500
"""Rows that one transaction changes."""


class Keeper:
    """One thread that writes pictures, every ten minutes takes the oldest away, and looks at a full disk again."""

    def __init__(self, store: Store, *, trust_clock: bool = False) -> None:
        self._store = store
        self.lived = Lived(store, trust=trust_clock)
        """By what time things are too old."""
        self._queue: queue.SimpleQueue[tuple[str, bytes] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._bytes = 0
        self.lost = 0
        """Pictures that could not be kept since the start."""
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Pictures that wait to be written."""
        return self._queue.qsize()

    @property
    def note(self) -> str | None:
        """What an engineer should know of the disk."""
        if self._below(*EMPTY):
            return "The disk is nearly full: no pictures of parts are kept any more; free some space."
        if self._below(*LOW):
            return "The disk is filling up: pictures of OK parts are taken away ahead of their time; free some space."
        return None

    def keep(self, id: str, data: bytes) -> None:
        """Queue the picture of an inspection; never waits."""
        with self._lock:
            full = self._bytes + len(data) > MOST_BYTES
            self._bytes += 0 if full else len(data)
        if full:
            self._lose(id)
        else:
            self._queue.put((id, data))

    def flush(self) -> None:
        """Wait until no picture waits to be written."""
        while self._bytes:
            time.sleep(0.01)

    def close(self) -> None:
        """Write what waits, and end."""
        self._queue.put(None)
        self._thread.join()

    def sweep(self) -> int:
        """Take away what its recipe keeps no longer; on a disk that is nearly full, the oldest too. Tells how many."""
        for note in (self.lived.note, self.note):
            if note is not None:
                log.warning("%s", note)
        recipes = list_recipes(self._store.read, archived=True)
        gone = sum(self._sweep_recipe(recipe) for recipe in recipes)
        while self._below(*LOW) and (more := sum(self._expire(recipe, "OK", later(0)) for recipe in recipes)):
            gone += more
        self.lived.keep()
        export_audit(self._store.read, self._store.folder / "audit")
        return gone

    def _run(self) -> None:
        looked = swept = time.monotonic()
        began = False
        while (item := self._next()) is not None:
            if item[0]:
                try:
                    self._write(*item)
                except Exception:  # a picture is worth less than the thread that keeps the others
                    log.exception("a picture of %s could not be kept", item[0])
                    self._lose(item[0])
            if time.monotonic() - looked > LOOK_SECONDS:
                looked = time.monotonic()
                _try(self._store.look_again, "it could not be seen whether the disk is full still")
            first = bool(item[0]) and not began  # with it goes what became too old while the station was off
            if first or time.monotonic() - swept > SWEEP_SECONDS:
                swept, began = time.monotonic(), True
                _try(self.sweep, "what is too old could not be taken away")

    def _next(self) -> tuple[str, bytes] | None:
        """What waits to be written; nothing, where nothing came for a while; None at the end."""
        try:
            return self._queue.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            return "", b""

    def _write(self, id: str, data: bytes) -> None:
        try:
            if self._below(*EMPTY):
                self._lose(id)
                return
            with self._store.pictures.lock:
                sha256, suffix = self._store.pictures.put(data)
                self._store.write(partial(picture_stored, id=id, sha256=sha256, suffix=suffix, size=len(data)))
        except OSError as error:
            log.warning("the picture of %s could not be written: %s", id, error.strerror or error)
            self._lose(id)
        finally:
            with self._lock:
                self._bytes -= len(data)

    def _lose(self, id: str) -> None:
        self.lost += 1
        self._store.submit(
            lambda connection: connection.execute("UPDATE inspection SET image_state = 'lost' WHERE id = ?", [id])
        )

    def _below(self, share: float, most: int) -> bool:
        free, total = self._free()
        return free < min(share * total, most)

    def _free(self) -> tuple[int, int]:
        """Bytes free and in all, of the disk."""
        usage = shutil.disk_usage(self._store.folder)
        return usage.free, usage.total

    def _sweep_recipe(self, recipe: Recipe) -> int:
        settings = recipe.settings
        gone = 0
        for days, verdicts in ((settings.keep_ok_days, ("OK",)), (settings.keep_other_days, OTHERS)):
            for verdict in verdicts:
                while more := self._expire(recipe, verdict, days_before(self.lived.now(), days)):
                    gone += more
        old = days_before(self.lived.now(), settings.keep_rows_days)
        while rows := _seqs(self._store.read, _OLD_ROWS, [recipe.id, old]):
            self._store.write(partial(_forget_rows, rows=rows))
        return gone

    def _expire(self, recipe: Recipe, verdict: str, old: str) -> int:
        """Unlist the oldest pictures, then delete their files; tells of how many inspections."""
        rows = _seqs(self._store.read, _OLD_PICTURES, [recipe.id, verdict, old])
        if not rows:
            return 0
        with self._store.pictures.lock:
            expired, gone = self._store.write(partial(_unlist, rows=rows))
            for sha256, suffix in gone:
                self._store.pictures.delete(sha256, suffix)
        return expired


def _try(do: Callable[[], object], failed: str) -> None:
    """Do what can be done later as well: as much as could be was, and the next time does the rest."""
    try:
        do()
    except Exception:
        log.exception("%s", failed)


_OLD_PICTURES = (
    "SELECT seq FROM inspection INDEXED BY inspection_kept WHERE image_state = 'stored' AND recipe = ? AND verdict = ? "
    "AND at < ? AND label IS NULL ORDER BY at LIMIT ?"
)
_OLD_ROWS = (
    "SELECT seq FROM inspection INDEXED BY inspection_recipe WHERE recipe = ? AND verdict = 'OK' AND at < ? "
    "AND label IS NULL AND image_state NOT IN ('stored', 'pending') ORDER BY seq LIMIT ?"
)
"""Of OK parts that nobody labelled and whose picture is not kept; their hours are counted for ever."""


def _seqs(connection: sqlite3.Connection, query: str, values: list[str]) -> list[int]:
    """The rows in question, found without keeping the writer from the verdicts that wait for it."""
    return [row["seq"] for row in connection.execute(query, [*values, AT_ONCE])]


def _unlist(connection: sqlite3.Connection, *, rows: list[int]) -> tuple[int, list[tuple[str, str]]]:
    """Mark inspections as expired; pictures that nothing needs any more are taken off the list and returned."""
    expired = []
    for seq in rows:  # one that was labelled meanwhile stays
        expired += connection.execute(
            "UPDATE inspection SET image_state = 'expired' WHERE seq = ? AND image_state = 'stored' AND label IS NULL "
            "RETURNING image_sha",
            [seq],
        ).fetchall()
    gone = []
    for sha256 in {row["image_sha"] for row in expired}:
        needed = connection.execute(
            "SELECT 1 FROM training WHERE sha256 = :sha UNION ALL SELECT 1 FROM golden WHERE sha256 = :sha UNION ALL "
            "SELECT 1 FROM inspection WHERE image_sha = :sha AND image_state IN ('stored', 'pending') LIMIT 1",
            {"sha": sha256},
        ).fetchone()
        if needed is None:
            listed = connection.execute("DELETE FROM picture WHERE sha256 = ? RETURNING suffix", [sha256]).fetchall()
            gone += [(sha256, row["suffix"]) for row in listed]
    return len(expired), gone


def _forget_rows(connection: sqlite3.Connection, *, rows: list[int]) -> None:
    connection.executemany("DELETE FROM inspection WHERE seq = ? AND label IS NULL", [[seq] for seq in rows])
