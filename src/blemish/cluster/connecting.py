"""Which machines a call is given to, by their address."""

from collections.abc import Callable
from typing import Literal, overload

from blemish.cluster.cluster import Cluster
from blemish.cluster.conductor import Conductor
from blemish.system.conducts import CLIENT, silently

__all__ = ["connect"]


@overload
def connect(
    address: Literal["local", "auto"] = ...,
    *,
    processors: int | None = ...,
    workers: int | None = ...,
    checkpoint: str | None = ...,
    say: Callable[[str], None] = ...,
) -> Cluster: ...
@overload
def connect(
    address: str,
    *,
    processors: int | None = ...,
    workers: int | None = ...,
    checkpoint: str | None = ...,
    say: Callable[[str], None] = ...,
) -> Cluster | Conductor: ...
def connect(
    address: str = "local",
    *,
    processors: int | None = None,
    workers: int | None = None,
    checkpoint: str | None = None,
    say: Callable[[str], None] = silently,
) -> Cluster | Conductor:
    """Machines for `fit(..., cluster=...)`, by Ray (pip install "blemish[ray]").

    Args:
        address: local starts Ray on this machine; auto finds the one that this process runs in; HOST:PORT joins one;
            ray://HOST:PORT lets one process there do each whole call, with the paths as it sees them.
        processors: How many of this machine to use, for local; None for all.
        workers: Processes on each machine; None for two, or one where there is one processor.
        checkpoint: A folder, or a bucket (s3://...), that keeps what a fit has done, so that the same call goes on.
        say: Is told of workers that died or wait for processors, in a sentence.

    Returns:
        A context manager; it is connected inside `with`.

    Raises:
        OptionError: On entering: Ray is missing, nothing answers at the address, or versions differ.
    """
    if address.startswith(CLIENT):
        return Conductor(address, workers=workers, checkpoint=checkpoint, say=say)
    return Cluster(address, processors=processors, workers=workers, checkpoint=checkpoint, say=say)
