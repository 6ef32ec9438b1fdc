"""Start a station: its folder, its socket, its login link; and end it in order."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn

from blemish.errors import DataError, OptionError
from blemish.service.heads import BoundedHeads
from blemish.service.settings import StationSettings, check_tls, read_settings
from blemish.service.station import Station
from blemish.service.store.users import list_tokens, someone_can_log_in

__all__ = ["application", "listening", "serve", "server_of"]

GRACE = 5
"""Seconds that calls have to end when the station does."""
KEEP_ALIVE = 75
COLLECT = (20_000, 20, 20)
"""After how many new objects garbage is looked for: with the usual 700, every call waits for it. What is there at the
start is never looked at."""
SWITCH_SECONDS = 0.001
"""How long one thread computes in Python while another waits: the one that answers waits a fifth of the usual."""


def serve(
    folder: Path,
    *,
    host: str | None = None,
    port: int | None = None,
    adopt: bool = False,
    link: bool = False,
    trust_clock: bool = False,
    say: Callable[[str], None] = print,
    **settings: Any,
) -> None:
    """Serve a station until it is told to stop.

    Args:
        folder: The station's folder; it is made where there is none.
        host: The address to listen at; as blemish.toml says by default.
        port: The port; 0 for any that is free.
        adopt: Start with an empty database though there are pictures.
        link: Print a login link though somebody has a password.
        trust_clock: Delete by the clock though it is far ahead of what was recorded last.
        say: Called with each line for the person who started it.
        **settings: Others of blemish.toml, to take the place of what stands there.

    Raises:
        DataError: The folder, the address or the certificate cannot be used.
        OptionError: The address is open to others, but nobody has a password yet.
    """
    given = {"host": host, "port": port, **settings}
    if port is not None and not 0 <= port < 1 << 16:
        raise OptionError(f"Option port={port} cannot be used: give a number from 0 to 65535.")
    found = read_settings(folder).model_copy(update={key: value for key, value in given.items() if value is not None})
    check_tls(found)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    with _own_process():
        station = Station(folder, found, adopt=adopt, trust_clock=trust_clock)
        try:
            _check_open(station, found)
            with listening(found.host, found.port) as open_socket:
                _say_where(station, found, open_socket, say, link=link)
                server = server_of(application(station), station)
                gc.freeze()
                asyncio.run(server.serve(sockets=[open_socket]))
        finally:
            station.close()


@contextlib.contextmanager
def _own_process() -> Iterator[None]:
    """The interpreter as a process wants it that answers, and does nothing else."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(*COLLECT)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        sys.setswitchinterval(interval)


def application(station: Station) -> Any:
    """The application with its pages; all of it is imported here, so that models are loaded meanwhile."""
    from starlette.staticfiles import StaticFiles

    from blemish.service.api.app import make_app
    from blemish.service.pages.routes import ACCESS, ROUTERS, STATIC, problem_page

    app = make_app(station, ROUTERS, ACCESS, problem_page)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def server_of(app: Any, station: Station) -> uvicorn.Server:
    """What serves the application of a station."""
    return _Server(_config(app.middleware_stack, station.settings), station)  # FastAPI's own entry adds nothing to it


class _Server(uvicorn.Server):
    """Ends streams of events first, as they would never end by themselves; and a signal is a wish, not an error."""

    def __init__(self, config: uvicorn.Config, station: Station) -> None:
        super().__init__(config)
        self._station = station

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._station.events.close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        caught = (signal.SIGINT, signal.SIGTERM)
        before = {each: signal.signal(each, self.handle_exit) for each in caught}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def _config(app: Any, settings: StationSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedHeads,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.behind_tls,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )


def _check_open(station: Station, settings: StationSettings) -> None:
    """Raise OptionError where others could reach the station, but it knows nobody."""
    if settings.local:
        return
    connection = station.store.read
    if not someone_can_log_in(connection) and not any(token["revoked"] is None for token in list_tokens(connection)):
        raise OptionError(
            f"host={settings.host} is open to other machines, but nobody has a password yet. Start without --host "
            f"first, log in by the link, and set a password under Settings."
        )


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises DataError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        found = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise DataError(
            f"{host}:{port} cannot be listened at ({error.strerror or error}); choose another --port."
        ) from None
    # every call's connection takes this over; else the body of an answer waits 40 ms for the caller's delayed ACK
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def _say_where(
    station: Station, settings: StationSettings, listening: socket.socket, say: Callable[[str], None], *, link: bool
) -> None:
    scheme = "https" if settings.tls_cert else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{scheme}://{host}:{listening.getsockname()[1]}"
    say(f"The station is at {address} (stop it with Ctrl-C).")
    if link and station.once is None:
        station.new_login_link()
    if station.once is not None:
        say(f"Log in, once: {address}/login/once?secret={station.once}")
