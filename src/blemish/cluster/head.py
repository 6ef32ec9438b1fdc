"""Whether the head of a cluster is there: without it Ray ends this process after a minute, in its own words."""

import socket
import time
from contextlib import suppress

from blemish.errors import DataError

__all__ = ["EVERY", "Head"]

EVERY = 5.0
"""Seconds between two looks."""
GONE = 12.0
"""Seconds without an answer until it is taken for gone."""


class Head:
    """The process that leads a cluster, by its address."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._looked = self._answered = time.monotonic()

    def check(self) -> None:
        """Look at it, if some seconds have passed. Raises DataError where it is gone, and from then on at once."""
        now = time.monotonic()
        if now - self._looked >= EVERY:
            if now - self._looked >= 2 * EVERY + GONE:  # nobody asked meanwhile
                self._answered = now
            self._looked = now
            if self._answers():
                self._answered = now
        if self._looked - self._answered >= GONE:
            raise self._gone()

    def wait(self) -> None:
        """Wait until it answers. Raises DataError where it is gone: Ray itself would wait for it."""
        self._looked = self._answered = time.monotonic()
        while not self._answers():
            self._looked = time.monotonic()
            if self._looked - self._answered >= GONE:
                raise self._gone()
            time.sleep(1)

    def _gone(self) -> DataError:
        return DataError(
            f"The head of the cluster at {self._address} no longer answers, and the work there ends with it; start it "
            f"again, then repeat the command: with --cluster-state a fit goes on."
        )

    def _answers(self) -> bool:
        host, _, port = self._address.rpartition(":")
        with suppress(OSError):
            socket.create_connection((host.strip("[]"), int(port)), timeout=EVERY).close()
            return True
        return False
