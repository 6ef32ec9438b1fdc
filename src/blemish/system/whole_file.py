"""Write a file whole or not at all, and change one without losing what another process changes."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

__all__ = ["changing", "write_whole"]


def write_whole(path: Path, content: bytes) -> None:
    """Write under a temporary name beside `path`, flush it to the disk, and rename it; a failure leaves what was there.

    A file that is there hands its permissions on. Raises OSError, after taking the temporary file away.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Hold a file that will be read, changed and written whole; raises BlockingIOError where another process holds it.

    The lock is on the file itself, so that it leaves nothing behind and ends with the process, whatever ends it.
    (Windows cannot replace a file that is held; there nothing keeps two processes apart.)
    """
    with path.open("rb") as file:
        if sys.platform == "win32":
            file.close()
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may have put another file in its place between our opening and locking.
            if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
                raise BlockingIOError
        _sweep(path)
        yield


def _sweep(path: Path) -> None:
    """Take away temporary files of processes that were killed while they wrote this one."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        process = left.name.removesuffix(".tmp").rpartition(".")[2]
        if process.isdecimal() and not _alive(int(process)):
            left.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    """Whether a process of this number may be there; on Windows, where asking could end it, it always may."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
