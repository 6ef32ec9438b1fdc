"""Write a file whole or not at all, change one without losing what another process changes, clear up after the killed.

A temporary file is locked by its writer until it has its name. The system takes a lock back when a process ends,
whatever ends it: so whoever gets the lock of a temporary file knows that its writer is dead. Process numbers do not say
that, as two containers have the same ones.
"""

import errno
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl

__all__ = ["changing", "sweep", "write_whole"]

_TEMPORARY = re.compile(r"\.blemish-[0-9a-f]{16}\.tmp")
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_OPEN = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_ABANDONED = 3600
"""Windows has no such lock; there a temporary file is dead after so many seconds without a change."""


def write_whole(path: Path, content: bytes) -> None:
    """Write under a random name beside `path`, flush it to the disk, and rename it; a failure leaves what was there.

    Any number of threads, processes and containers may write one path: readers see the whole content of one of them.
    A file that is there hands its permissions on. Raises OSError, after taking the temporary file away.
    """
    mode = _mode(path)
    file, temporary = _temporary_file(path.parent, 0o666 if mode is None else 0o600)
    try:
        with file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            if mode is not None:
                temporary.chmod(mode)
            if sys.platform != "win32":  # still locked, so that nobody takes it for a dead one's
                os.replace(temporary, path)
        if sys.platform == "win32":  # which renames no open file
            os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Hold a file that will be read, changed and written whole; raises BlockingIOError where another holds it.

    The lock is on the file itself, so that it leaves nothing behind and ends with the process, whatever ends it.
    (Windows cannot replace a file that is held; there nothing keeps two processes apart.)
    """
    # A network file system locks only what is open for writing.
    with path.open("r+b") as file:
        if sys.platform == "win32":
            file.close()
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may have put another file in its place between our opening and locking.
            if not _is_at(file, path):
                raise BlockingIOError
        yield


def sweep(folder: Path) -> None:
    """Delete the temporary files in `folder` whose writers have ended; what cannot be deleted stays."""
    with suppress(OSError), os.scandir(folder) as entries:
        for name in [entry.name for entry in entries if _TEMPORARY.fullmatch(entry.name)]:
            with suppress(OSError):
                _delete_abandoned(folder / name)


def _delete_abandoned(temporary: Path) -> None:
    """Delete a temporary file unless its writer lives; raises OSError where it does."""
    if sys.platform == "win32":
        if time.time() - temporary.stat().st_mtime > _ABANDONED:
            temporary.unlink()
        return
    descriptor = _open_existing(temporary)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Names are never used twice: if this one is there, it is the file just locked.
        temporary.unlink()
    finally:
        os.close(descriptor)


def _open_existing(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | _OPEN)
    except PermissionError:  # killed after a read-only file's permissions were handed on
        return os.open(path, os.O_RDONLY | _OPEN)


def _temporary_file(folder: Path, mode: int) -> tuple[IO[bytes], Path]:
    """A new file in `folder`, locked by us."""
    while True:
        temporary = folder / f".blemish-{secrets.token_hex(8)}.tmp"
        file = os.fdopen(os.open(temporary, _CREATE, mode), "wb")
        if sys.platform == "win32" or _locked(file, temporary):
            return file, temporary
        file.close()


def _locked(file: IO[bytes], temporary: Path) -> bool:
    """Lock a file just made; False where it was swept before that."""
    with suppress(OSError):  # a file system without locks: nobody can sweep there either
        fcntl.flock(file, fcntl.LOCK_EX)
    return _is_at(file, temporary)


def _is_at(file: IO[bytes], path: Path) -> bool:
    """Whether an open file is the one of this name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _mode(path: Path) -> int | None:
    """The permissions of the file to be replaced; None where there is none. Raises OSError for what is no file."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):  # renaming would put a file in the place of /dev/null
        raise OSError(errno.EINVAL, "it is a device or a pipe, which no file can replace", str(path))
    return stat.S_IMODE(mode)


def _flush_folder(folder: Path) -> None:
    """Make a renaming last through a power cut, where the system can."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
