"""Passwords as scrypt keeps them, and how many tries there are."""

import hashlib
import hmac
import secrets
import threading
import time

from blemish.service.problems import Problem

__all__ = ["Tries", "hashed", "is_right"]

N, R, P = 1 << 14, 8, 1
"""scrypt's cost: 16 MB and some 50 ms a try."""
SHORTEST = 8
TRIES, SECONDS = 5, 60.0


def hashed(password: str) -> str:
    """What is kept of a password. Raises Problem where it is too short."""
    if len(password) < SHORTEST:
        raise Problem("invalid", f"A password needs {SHORTEST} characters or more.")
    salt = secrets.token_bytes(16)
    return f"scrypt${N}${R}${P}${salt.hex()}${_scrypt(password, salt, N, R, P).hex()}"


def is_right(password: str, kept: str | None) -> bool:
    """Whether this is the password; as slow for a user who has none."""
    _, n, r, p, salt, key = (kept or f"scrypt${N}${R}${P}${'00' * 16}${'00' * 32}").split("$")
    found = _scrypt(password, bytes.fromhex(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, bytes.fromhex(key)) and kept is not None


class Tries:
    """Counts failed tries to log in, by name and by address."""

    def __init__(self) -> None:
        self.one_at_a_time = threading.Lock()
        """Held from `check` to `failed`, so that many tries at once are as few as many in a row."""
        self._lock = threading.Lock()
        self._failed: dict[str, list[float]] = {}

    def check(self, *keys: str) -> None:
        """Raise Problem where one of these has failed too often in the last minute."""
        with self._lock:
            now = time.monotonic()
            self._failed = {
                key: recent
                for key, times in self._failed.items()
                if (recent := [t for t in times if t > now - SECONDS])
            }
            if any(len(self._failed.get(key, [])) >= TRIES for key in keys):
                raise Problem(
                    "too-many-tries",
                    f"{TRIES} tries failed within a minute; wait for a minute.",
                    headers={"Retry-After": str(int(SECONDS))},
                )

    def failed(self, *keys: str) -> None:
        """Count a try that failed."""
        with self._lock:
            for key in keys:
                self._failed.setdefault(key, []).append(time.monotonic())


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=n, r=r, p=p, maxmem=1 << 26, dklen=32)
