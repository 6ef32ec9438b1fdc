"""Find or start Ray, and the workers on it."""

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from blemish.errors import OptionError

__all__ = ["EXTRA", "began", "cannot_load", "check_answers", "check_installed", "line_of", "refusal"]

EXTRA = 'pip install "blemish[ray]"'
OBJECT_STORE = 100 * 10**6
"""Bytes that Ray holds for messages where it is started here: none is larger than a few million."""
LOOPBACK = "127.0.0.1"
WAIT = 10.0
"""Seconds for an address to answer; Ray itself would try for minutes."""


def check_installed() -> None:
    """Raise OptionError where Ray is missing."""
    missing = [name for name in ("ray", "pyarrow") if not find_spec(name)]
    if missing:
        raise OptionError(
            f"A cluster needs the package {' and '.join(missing)}, which is not installed; install it with: {EXTRA}."
        )


@contextmanager
def began(address: str, processors: int | None = None) -> Iterator[list[int]]:
    """Be connected while the block runs; gives the processors of each machine.

    Args:
        address: local starts Ray on this machine, for this process alone; auto finds the one that this process or this
            machine belongs to; HOST:PORT joins another.
        processors: How many to use of this machine; None for all. For local only.

    Raises:
        OptionError: Ray is missing, nothing answers at the address, or it runs other versions.
    """
    check_installed()
    if address not in ("local", "auto"):
        check_answers(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when it starts: nothing is sent from here
    import ray

    if address == "auto" and _within():
        yield _machines(ray, address)
        return
    if ray.is_initialized():
        raise OptionError("This process is connected to a cluster already; close that connection first.")
    if address not in ("local", "auto"):
        _check_admits(address)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "configure_logging": False}
    try:
        if address == "local":
            _start_here(ray, processors, quiet)
        else:
            ray.init(address=address, **quiet)
    except Exception as error:  # of its own kinds, of Python's, and of none: "timed out during startup"
        ray.shutdown()
        raise refusal(address, error) from None
    try:
        yield _machines(ray, address)
    finally:
        ray.shutdown()


def check_answers(address: str, at: str | None = None) -> None:
    """Raise OptionError where nothing listens at HOST:PORT, the address itself or what is given as `at`."""
    host, _, port = (at or address).rpartition(":")
    if not host or not port.isdigit():
        raise OptionError(f"The cluster {address} has no such form; give local, auto, HOST:PORT, or ray://HOST:PORT.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=WAIT).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise OptionError(
            f"Nothing answers at the cluster {address} ({why}); start Ray there (ray start --head), or use local."
        ) from None


def _check_admits(address: str) -> None:
    """Raise OptionError where the cluster asks for another token, or is none: Ray itself would try for long."""
    from ray._private.authentication.authentication_token_setup import ensure_token_if_auth_enabled
    from ray._private.services import canonicalize_bootstrap_address
    from ray.exceptions import AuthenticationError

    try:
        ensure_token_if_auth_enabled(None, create_token_if_missing=False)
        with _nothing_on_stderr():
            import_module("ray._raylet").GcsClient(address=canonicalize_bootstrap_address(address))
    except AuthenticationError:
        raise OptionError(
            f"The cluster {address} asks for a token that this process does not have; set RAY_AUTH_MODE=token, and put "
            f"its token into ~/.ray/auth_token, or into the file that RAY_AUTH_TOKEN_PATH names."
        ) from None
    except Exception as error:
        raise refusal(address, error) from None


@contextmanager
def _nothing_on_stderr() -> Iterator[None]:
    """What Ray's compiled part prints of its attempts is said in a sentence."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _within() -> bool:
    """Whether Ray started this process: then it is connected, and stays so."""
    from ray._private.worker import WORKER_MODE, global_worker

    return bool(global_worker.mode == WORKER_MODE)


def _machines(ray: Any, address: str) -> list[int]:
    found = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    if not any(found):
        raise OptionError(
            f"The cluster {address} has no processors to work on; start Ray on a machine with some (--num-cpus)."
        )
    return found


def _start_here(ray: Any, processors: int | None, quiet: dict[str, Any]) -> None:
    """Start Ray for this process, where only this machine can reach it."""
    from ray._private import ray_constants

    # Workers have the priority of this process; Ray would give them the least, and a busy machine let them starve.
    os.environ.setdefault("RAY_worker_niceness", "0")
    # Its own switch for systems where it never asks the network for the address of this machine: all of its servers
    # then listen at the loopback address, which it would otherwise replace by one that others reach.
    reachable = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)  # that it uses a token is no news
    try:
        ray.init(
            address="local",
            num_cpus=processors,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE,
            _node_ip_address=LOOPBACK,
            **quiet,
        )
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = reachable


def cannot_load() -> OptionError:
    """That a machine lacks blemish, or has one of another version, in a sentence."""
    return OptionError(
        "A machine of the cluster cannot load blemish; install the same version of blemish[ray] on all, then repeat "
        "the command."
    )


def refusal(
    address: str, error: Exception, mend: str = "start Ray there (ray start --head), or use local"
) -> OptionError:
    """Why Ray did not connect, and what mends it, in a sentence: of versions that differ, it says both."""
    if len(both := re.findall(r"Ray: (\S+)\s+Python: (\S+)", str(error))) == 2:
        (there, python_there), (here, python_here) = both
        return OptionError(
            f"The cluster {address} runs Ray {there} on Python {python_there}, and this process Ray {here} on Python "
            f"{python_here}; install the same on all machines."
        )
    return OptionError(f"The cluster {address} cannot be used: {line_of(error)}; {mend}.")


def line_of(error: Exception) -> str:
    """The line that says what is wrong: the first, or of a traceback the last."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1 if "Traceback" in str(error) else 0].rstrip(".")
