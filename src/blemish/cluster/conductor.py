"""A cluster that is reached from outside: one process there does the whole call, and this one is told how far it is."""

import logging
import os
import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

from blemish.cluster.conducting import Conducting, Heard
from blemish.cluster.start import cannot_load, check_answers, check_installed, refusal
from blemish.cluster.worker import Worker
from blemish.errors import DataError, OptionError
from blemish.system.conducts import CLIENT, Answer, Sendable, silently
from blemish.system.progress import Shown, shown

__all__ = ["Conductor"]

EVERY = 1.0
"""Seconds between two words on how far a call is."""
ATTEMPTS = 4
"""Connections that are tried: Ray's client server loses one in fifteen (its issue 63202), and half a minute with it."""
MEND = (
    "look whether Ray's client server runs there (ray start --head --ray-client-server-port PORT), and whether both "
    "sides have one token (RAY_AUTH_MODE=token)"
)
TIDIES = 20.0
"""Seconds that a call has to tidy up after it was stopped."""


class Conductor:
    """A process on a cluster that does whole calls there, for `fit(cluster=...)`; made by `blemish.connect`."""

    def __init__(
        self,
        address: str,
        *,
        workers: int | None = None,
        checkpoint: str | None = None,
        say: Callable[[str], None] = silently,
    ) -> None:
        self.address, self._say = address, say
        self.lost = 0
        """Workers that died and were replaced."""
        self._arguments = "auto", workers, checkpoint
        self._stack = ExitStack()
        self._actor: Any = None
        self._running: Any = None
        """The call that has not ended."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(_client(self.address))
            stack.callback(self._dismiss)
            self._hire()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def conduct(
        self, call: Sendable[Answer], *, progress: Shown = None, say: Callable[[str], None] | None = None
    ) -> Iterator[Answer]:
        """Yield the answers of the call, which is done there; `progress` and `say` are told here, once a second.

        Without a `say` of the call, that of the connection is told.

        Raises what the call raised, with the name of its machine, and DataError where its process or the connection
        is lost.
        """
        if self._actor is None:
            raise OptionError("This cluster is not connected: use it inside `with blemish.connect(...) as cluster:`.")
        if self._running is not None:  # the one before was given up
            self._dismiss()
            self._hire()
        self._running = self._send("do", pickle.dumps(call))
        with shown(progress) as report:
            ended = False
            while not ended:
                heard: Heard = self._ask("heard", EVERY)
                for step, (done, total) in heard.steps.items():
                    report(step, done, total)
                for sentence in heard.said:
                    (say or self._say)(sentence)
                yield from map(pickle.loads, heard.answers)
                ended = heard.ended
        self._running = None
        if heard.error:
            raise pickle.loads(heard.error)
        self.lost = self._ask("lost")

    def clear_checkpoint(self) -> None:
        """The model is written: what was kept to go on from is no longer needed."""
        self._ask("clear_checkpoint")

    def _hire(self) -> None:
        """Let a process there begin. It waits while its workers work: it holds no processor that one of them wants."""
        import ray

        kind = ray.remote(max_restarts=0, max_task_retries=0, max_concurrency=3)(Conducting)
        try:
            self._actor = kind.remote(*self._arguments)
        except (ImportError, AttributeError):  # where the client's server loads what is sent
            raise cannot_load() from None
        self._ask("begin", Worker().versions(), os.getcwd())

    def _dismiss(self) -> None:
        """Let its call end as after Ctrl-C, which tells the workers to delete their files; then end the process."""
        import ray

        actor, running, self._actor, self._running = self._actor, self._running, None, None
        with suppress(Exception):  # where the connection is lost, the process has ended with it
            if running is not None:
                actor.stop.remote()
                ray.wait([running], timeout=TIDIES)
            ray.kill(actor)

    def _send(self, method: str, *arguments: Any) -> Any:
        return getattr(self._actor, method).remote(*arguments)

    def _ask(self, method: str, *arguments: Any) -> Any:
        """What the process there answers. Raises what it raised, and DataError where it or the connection is lost."""
        import ray
        from ray import exceptions

        from blemish.cluster.crew import LOST, check_loads

        try:
            return ray.get(self._send(method, *arguments))
        except exceptions.RayTaskError as error:
            raise error.cause from None
        except LOST as error:
            self._running = None
            check_loads(error)
            raise DataError(
                f"The process that leads the work on the cluster {self.address} died; look at the memory of its "
                f"machine, then repeat the command: with --cluster-state a fit goes on."
            ) from None
        except (ConnectionError, RuntimeError):
            self._running = None
            raise DataError(
                f"The connection to the cluster {self.address} was lost, and the work there ends with it; repeat the "
                f"command: with --cluster-state a fit goes on."
            ) from None


@contextmanager
def _client(address: str) -> Iterator[None]:
    """Be connected by Ray's client while the block runs. Raises OptionError."""
    check_installed()
    if not find_spec("grpc"):
        raise OptionError(
            f"The address {address} needs the package grpcio, which is not installed; install it with: "
            f'pip install "ray[client]".'
        )
    check_answers(address, address.removeprefix(CLIENT))
    import ray

    if ray.is_initialized():
        raise OptionError("This process is connected to a cluster already; close that connection first.")
    for name in ("ray.util.client", "ray.client_builder"):  # what they say in logs is said in a sentence
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", module=r"ray\.")
                ray.init(address=address, log_to_driver=False, logging_level="error", configure_logging=False)
            break
        except ConnectionAbortedError as error:
            ray.shutdown()
            if attempt == ATTEMPTS:
                raise refusal(address, error, MEND) from None
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            raise refusal(address, error, MEND) from None
    try:
        yield
    finally:
        ray.shutdown()
