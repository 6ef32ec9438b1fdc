"""HTTP as uvicorn speaks it, but for heads of calls that come too slowly or are too large: they hold no connection."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["BoundedHeads"]

HEAD_SECONDS = 20.0
"""How long a connection may be open, or a call have begun, before its head is whole."""
MOST_HEAD = 1 << 20
"""Bytes that may come before the head is whole; what one read brings of the body is counted in."""


class BoundedHeads(HttpToolsProtocol):
    """Closes a connection whose next head is not whole in time."""

    _clock: asyncio.TimerHandle | None = None
    _came = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for the first head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes of a head."""
        if self._clock is not None:
            self._came += len(data)
            if self._came > MOST_HEAD:
                self.transport.close()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """The first bytes of a call; on a connection that was kept, the clock starts with them."""
        super().on_message_begin()
        if self._clock is None:
            self._wait()

    def on_headers_complete(self) -> None:
        """The head is whole; how fast the body must come, Guard knows."""
        self._stop()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._came = 0
        self._clock = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
