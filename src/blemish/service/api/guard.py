"""What is checked before any route: host, origin, size and pace of the body; and the headers of every answer."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from blemish.service.clock import new_id
from blemish.service.problems import Problem
from blemish.service.settings import StationSettings, ip_of

__all__ = ["Guard", "problem_answer"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

log = logging.getLogger("blemish.service")
DRAIN_SECONDS, DRAINED = 2.0, 2
"""How long, and how many times the largest body, a refused call is still read."""
PACE = 10_000
"""Bytes a second that a body must come at, after the first seconds: who sends a byte now and then holds no call."""
PLAIN_BYTES = 4_000_000
"""Of a body that is read in one go, in which nothing else is answered: JSON, and what has no type."""
BY_PIECES = ("/inspections", ":batch", ":upload", "/infer")
"""Ends of the addresses whose bodies are taken as bytes, whatever they say they are."""
SAFE = {"GET", "HEAD", "OPTIONS"}
LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """The outermost layer of the application (ASGI)."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], settings: StationSettings) -> None:
        self._app, self._settings = app, settings
        self._hosts = LOOPBACK | {host.lower() for host in (settings.host, *settings.hosts)}
        self._by_number = not settings.local
        """Whether it is called by its address, too: no other site can pass for a number, only for a name."""
        self._most = settings.max_body_mb * 1_000_000
        always = HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if settings.secure else {})
        self._always = [(name.encode(), value.encode()) for name, value in always.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        most = self._most_of(scope["path"], headers)
        call = scope["state"] = dict(scope.get("state") or {}) | {"request_id": new_id()}
        began = False
        body = _Body(receive, most, self._settings.body_seconds)

        async def answer(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                if body.problem is not None and not began and message["status"] == 400:
                    raise body.problem  # which the parser of the body took for its own
                began = True
                message["headers"] = [*message.get("headers", []), *self._headers(scope["path"], call["request_id"])]
            await send(message)

        try:
            self._check(scope["method"], headers, most)
            await self._app(scope, body.receive, answer)
        except Problem as problem:  # of the body, or of ours
            if not began:
                await _refuse(answer, problem, scope["path"], call["request_id"], receive, self._most)
        except Exception:
            if body.problem is not None and not began:
                await _refuse(answer, body.problem, scope["path"], call["request_id"], receive, self._most)
                return
            log.exception("request %s: %s %s", call["request_id"], scope["method"], scope["path"])
            if not began:
                broken = Problem("broken", "The station made a mistake; the log has the details.")
                await _send(answer, broken, scope["path"], call["request_id"])

    def _most_of(self, path: str, headers: dict[str, str]) -> int:
        """How many bytes a body may have."""
        kind = headers.get("content-type", "").lower()
        plain = not kind or "json" in kind or kind.startswith("application/x-www-form-urlencoded")
        return min(self._most, PLAIN_BYTES) if plain and not path.endswith(BY_PIECES) else self._most

    def _check(self, method: str, headers: dict[str, str], most: int) -> None:
        """Raise Problem for a host name that is not ours, another site's call, and a body that is too large."""
        host = headers.get("host", "").lower()
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if name not in self._hosts and not (self._by_number and ip_of(name) is not None):
            raise Problem("wrong-host", f"The station does not answer to the host name {name!r}.")
        if method not in SAFE and not headers.get("authorization"):
            _check_origin(headers, host)
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            raise Problem("malformed", "Content-Length is no number.")
        if int(length) > most:
            raise _too_large(most)

    def _headers(self, path: str, request_id: str) -> list[tuple[bytes, bytes]]:
        own = [*self._always, (b"X-Request-Id", request_id.encode())]
        return own if path.startswith("/static/") else [*own, (b"Cache-Control", b"no-store")]


def _check_origin(headers: dict[str, str], host: str) -> None:
    """Raise Problem where a browser says that another site sent this; programs say nothing, and have no cookie."""
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        raise Problem("cross-site", "Another site sent this call.")
    if origin is not None and urlsplit(origin).netloc.lower() != host:
        raise Problem("cross-site", "Another site sent this call.")


class _Body:
    """A body that is given up where it is too large or comes too slowly."""

    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive, self._most, self._seconds = receive, most, seconds
        self._size, self._whole = 0, False
        self.problem: Problem | None = None
        """Why the body was given up."""
        self._began = time.monotonic()

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        whole = self._began + self._seconds + self._size / PACE - time.monotonic()
        try:
            # wait_for would make a task of it, which costs a tenth of a ms
            async with asyncio.timeout(min(self._seconds, whole)):
                message = await self._receive()
        except TimeoutError:
            said = f"No more of the body came for {self._seconds:g} s."
            slow = f"The body came at less than {PACE // 1000} kB a second."
            self.problem = Problem("too-slow", said if whole > self._seconds else slow)
            raise self.problem from None
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._size > self._most:
            self.problem = _too_large(self._most)
            raise self.problem
        return message


def _too_large(most: int) -> Problem:
    said = f"A call may have {most // 1_000_000} MB; send less in one, or raise max_body_mb."
    plain = f"JSON may have {most // 1_000_000} MB in one call; send less in one."
    return Problem("too-large", plain if most == PLAIN_BYTES else said)


async def _drain(receive: Receive, most: int) -> None:
    """Read what a caller is still sending, for a moment: who is cut off while sending never sees the answer."""
    size = 0
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while size < DRAINED * most:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def problem_answer(problem: Problem, path: str, request_id: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of a problem."""
    body = problem.to_dict() | {"instance": path, "request_id": request_id}
    headers = {"Content-Type": "application/problem+json", **problem.headers}
    return problem.kind.status, json.dumps(body, ensure_ascii=True).encode(), headers


async def _refuse(send: Send, problem: Problem, path: str, request_id: str, receive: Receive, most: int) -> None:
    """Answer a call at once, whose body may be on its way still; then read of that what comes soon, and close."""
    await _send(send, problem, path, request_id, more=True)
    await _drain(receive, most)
    await send({"type": "http.response.body", "body": b""})


async def _send(send: Send, problem: Problem, path: str, request_id: str, *, more: bool = False) -> None:
    status, body, headers = problem_answer(problem, path, request_id)
    plain = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    plain += [(b"Content-Length", str(len(body)).encode()), (b"Connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": plain})
    await send({"type": "http.response.body", "body": body, "more_body": more})
