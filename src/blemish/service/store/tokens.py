"""Tokens as they are in force, remembered: a line sends hundreds of calls a minute with one token.

What is remembered is forgotten as soon as any token changes, before whoever changed it is answered.
"""

import sqlite3

from blemish.service.store.users import digest, token_row

__all__ = ["Tokens"]

_WATCH = """
CREATE TEMP TRIGGER token_update AFTER UPDATE ON main.token BEGIN SELECT token_changes(); END;
CREATE TEMP TRIGGER token_delete AFTER DELETE ON main.token BEGIN SELECT token_changes(); END;
"""


class Tokens:
    """`watch` and `settle` are for the thread that writes, `row` for any other."""

    def __init__(self) -> None:
        self._known: dict[str, sqlite3.Row] = {}
        self._changing = False

    def watch(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """Let the one connection that writes tell when a token changes."""
        connection.create_function("token_changes", 0, self._change)
        connection.executescript(_WATCH)
        return connection

    def settle(self) -> None:
        """Forget what a transaction, which has ended, may have changed."""
        if self._changing:
            self._known = {}
            self._changing = False

    def row(self, connection: sqlite3.Connection, secret: str) -> sqlite3.Row | None:
        """The token with this secret; None where there is none in force."""
        known, key = self._known, digest(secret)  # taken before the look: a change puts another in its place
        found = None if self._changing else known.get(key)
        if found is None:
            found = token_row(connection, key)
            if found is not None and not self._changing:
                known[key] = found
        return found

    def _change(self) -> None:
        self._changing = True
