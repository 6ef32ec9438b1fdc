"""A whole call where the cluster is: what the process does there, and what it keeps until it is asked.

It knows nothing of Ray, so that it can be tested in one process.
"""

import pickle
import platform
import traceback
from threading import Condition
from typing import Any, NamedTuple

from blemish.cluster.cluster import Cluster
from blemish.cluster.worker import Worker
from blemish.errors import BlemishError
from blemish.system.conducts import Sendable

__all__ = ["Conducting", "Heard", "Stopped"]

MOST = 512
"""Answers that wait for whoever listens; the work waits with them."""


class Stopped(KeyboardInterrupt):
    """Whoever waited for the call no longer does."""


class Heard(NamedTuple):
    """What has become of a call since it was last asked after."""

    steps: dict[str, tuple[int, int]]
    """Of each step that went on: how much is done, and of how much."""
    said: list[str]
    answers: list[bytes]
    """Pickled, in order."""
    ended: bool = False
    error: bytes | None = None
    """Of a call that failed: what it raised, pickled."""


class Conducting:
    """Does one call at a time, as if its command ran here; `heard` may be asked meanwhile, from another thread."""

    def __init__(self, address: str = "auto", workers: int | None = None, checkpoint: str | None = None) -> None:
        self._cluster = Cluster(address, workers=workers, checkpoint=checkpoint, say=self._say)
        self._lost = 0
        self._changed = Condition()
        self._stopped = False
        self._now = Heard({}, [], [])

    def begin(self, versions: dict[str, str], folder: str) -> str:
        """Compare versions, and enter the folder that paths are named from; the name of this machine.

        Raises OptionError where it has other versions than the one that sends the calls.
        """
        worker = Worker()
        worker.agree(versions)
        worker.enter(folder)
        return platform.node()

    def do(self, content: bytes) -> None:
        """Do a call (a `Sendable`, pickled) with the cluster's workers; `heard` tells of it, also of its end."""
        error: bytes | None = None
        with self._changed:
            self._now = Heard({}, [], [])
        try:
            call: Sendable[Any] = pickle.loads(content)
            with self._cluster as cluster:
                for answer in call(cluster=cluster, progress=self._progress, say=self._say):
                    self._add(pickle.dumps(answer))
                self._lost += cluster.crew.lost
        except BaseException as raised:  # whatever it is, it is for whoever waits
            error = _pickled(raised)
        with self._changed:
            self._now = self._now._replace(ended=True, error=error)
            self._changed.notify_all()

    def heard(self, wait: float) -> Heard:
        """What came since the last question; waits so many seconds, or until the call ends or its answers wait."""
        with self._changed:
            self._changed.wait_for(lambda: self._now.ended or len(self._now.answers) >= MOST, timeout=wait)
            heard = self._now
            self._now = Heard({}, [], [], heard.ended, heard.error)
            self._changed.notify_all()
            return heard

    def stop(self) -> None:
        """Let the call end at its next report, and tidy up as it does where someone presses Ctrl-C."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def lost(self) -> int:
        """Workers that died and were replaced, over all calls."""
        return self._lost

    def clear_checkpoint(self) -> None:
        """The model of the last call is written: what was kept to go on from is no longer needed."""
        self._cluster.clear_checkpoint()

    def _progress(self, step: str, done: int, total: int) -> None:
        with self._changed:
            self._check_wanted()
            self._now.steps[step] = done, total

    def _say(self, sentence: str) -> None:
        with self._changed:
            self._check_wanted()
            self._now.said.append(sentence)

    def _add(self, answer: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._now.answers) < MOST)
            self._check_wanted()
            self._now.answers.append(answer)
            self._changed.notify_all()

    def _check_wanted(self) -> None:
        if self._stopped:
            raise Stopped


def _pickled(error: BaseException) -> bytes:
    """An exception that travels, and says where it was raised."""
    if isinstance(error, BlemishError):
        error.args = (f"The machine {platform.node()} of the cluster says: {error}", *error.args[1:])
    else:
        error.add_note(f"Raised on the machine {platform.node()} of the cluster:\n{traceback.format_exc()}")
    try:
        content = pickle.dumps(error)
        pickle.loads(content)
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return content
