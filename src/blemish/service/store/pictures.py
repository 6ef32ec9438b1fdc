"""Pictures as files, named by the sha256 of their bytes: one that comes twice is kept once."""

import hashlib
import os
import re
import secrets
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

from blemish.errors import ImageError
from blemish.images.encoded import Encoded
from blemish.service.clock import now

__all__ = ["MEDIA", "Pictures", "list_picture", "suffix_of"]

MEDIA = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".tif": "image/tiff",
    ".bmp": "image/bmp",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".jp2": "image/jp2",
    ".pnm": "image/x-portable-anymap",
    ".bin": "application/octet-stream",
}
"""What a picture is sent as, by the suffix that its own first bytes gave it."""
_SUFFIXES = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "WebP": ".webp",
    "GIF": ".gif",
    "JPEG 2000": ".jp2",
    "PNM": ".pnm",
}


def suffix_of(data: bytes) -> str:
    """The suffix for bytes, by what they begin with; .bin for what is no picture."""
    try:
        return _SUFFIXES[Encoded("", data).format]
    except ImageError:
        return ".bin"


def list_picture(connection: sqlite3.Connection, sha256: str, suffix: str, size: int) -> None:
    """Let the database know a file."""
    connection.execute("INSERT OR IGNORE INTO picture VALUES (?, ?, ?, ?)", [sha256, suffix, size, now()])


class Pictures:
    """The folder images/: images/<first two digits>/<sha256><suffix>."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.Lock()
        """Held while a file is written and listed, or unlisted and deleted."""

    def path(self, sha256: str, suffix: str) -> Path:
        """Where a picture lies."""
        return self.folder / sha256[:2] / f"{sha256}{suffix}"

    def put(self, data: bytes) -> tuple[str, str]:
        """Write a picture, whole or not at all, unless it is there; its sha256 and suffix. Raises OSError."""
        sha256, suffix = hashlib.sha256(data).hexdigest(), suffix_of(data)
        path = self.path(sha256, suffix)
        if path.exists() and path.stat().st_size == len(data):
            return sha256, suffix
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{sha256[:16]}-{secrets.token_hex(4)}.part")
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return sha256, suffix

    def get(self, sha256: str, suffix: str) -> bytes | None:
        """The bytes of a picture; None where there is no file."""
        try:
            return self.path(sha256, suffix).read_bytes()
        except FileNotFoundError:
            return None

    def find(self, sha256: str) -> Path | None:
        """The file of a picture, where it is there; files are whole or not there at all."""
        return next((self.folder / sha256[:2]).glob(f"{sha256}.*"), None)

    def named(self, name: str) -> Path | None:
        """The file of a picture by the name that models have for it, its sha256 and suffix; None where it is gone."""
        sha256, _, kind = name.partition(".")
        if not re.fullmatch("[0-9a-f]{64}", sha256) or f".{kind}" not in MEDIA:
            return None
        path = self.path(sha256, f".{kind}")
        return path if path.is_file() else None

    def delete(self, sha256: str, suffix: str) -> None:
        """Delete a file that the database has ceased to list."""
        with suppress(FileNotFoundError):
            self.path(sha256, suffix).unlink()

    def sweep(self) -> int:
        """Delete what killed writers left half written; tells how many."""
        parts = list(self.folder.glob("??/.*.part"))
        for part in parts:
            part.unlink(missing_ok=True)
        return len(parts)
