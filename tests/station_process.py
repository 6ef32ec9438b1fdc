"""A real station in a process of its own, which can be killed, and started again over the same folder."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from station_bench import API, SETTINGS, put_on_line

from blemish.service.settings import StationSettings
from blemish.service.station import Station
from blemish.service.store.recipes import RecipeSettings, add_recipe, find_recipe
from blemish.service.store.users import add_token
from blemish.service.store.versions import find_version

__all__ = ["Served", "prepared"]

START = "import sys; sys.argv[0] = 'blemish'; from blemish.cli import main; main()"


class Served:
    """`blemish serve` over a folder, with its bytecode kept, as an installation has it.

    `seconds` is how long the last start took until it was ready, `parts` when it said where it is, answered, was ready.
    """

    def __init__(self, folder: Path, token: str, start: Sequence[str] | None = None) -> None:
        self.folder, self.headers = folder, {"Authorization": f"Bearer {token}"}
        self._words = ("-c", START) if start is None else start
        self.seconds, self.parts = 0.0, (0.0, 0.0, 0.0)
        self.process: subprocess.Popen[str] | None = None
        self.address = ""
        self.start()

    def start(self) -> None:
        """Start, and wait until it is ready."""
        began = time.monotonic()
        self.address = self._launched()
        said = time.monotonic() - began
        with self.client() as client:
            ready = client.get(f"{API}/ready").json()["ready"]
            answered = time.monotonic() - began
            while not ready:
                time.sleep(0.02)
                ready = client.get(f"{API}/ready").json()["ready"]
        self.seconds = time.monotonic() - began
        self.parts = said, answered, self.seconds

    def client(self) -> httpx.Client:
        """A client with a token that may do everything."""
        return httpx.Client(base_url=self.address, headers=self.headers, timeout=120, trust_env=False, verify=False)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def _launched(self) -> str:
        """A new process; its address."""
        self._spawn()
        return self._said(r"http://\S+")

    def _spawn(self) -> None:
        words = [sys.executable, *self._words, "serve", str(self.folder), "--port", "0"]
        kept = {"PYTHONPYCACHEPREFIX": str(self.folder.with_name("bytecode")), "PYTHONDONTWRITEBYTECODE": ""}
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | kept
        )

    def _said(self, what: str) -> str:
        """The first that the process says of this kind."""
        assert self.process is not None
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(what, line):
                return found.group()
        raise AssertionError(f"the station ended without saying {what}")

    def _end(self, by: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, by)
        self._close()

    def _close(self) -> None:
        assert self.process is not None
        self.process.communicate()


def prepared(folder: Path, recipes: Mapping[str, Sequence[Path]], **settings: Any) -> str:
    """A folder whose recipes have these models as versions, the first on line; the secret of a token for everything."""
    station = Station(folder, StationSettings())
    chosen = RecipeSettings.model_validate(SETTINGS | settings)
    try:
        for name, models in recipes.items():
            _add(station, name, chosen)
            first, *_ = [put_on_line(station, name, model) for model in models]
            recipe = find_recipe(station.store.read, name)
            station.promote("test", recipe, find_version(station.store.read, recipe, first), "")
        token = station.store.write(lambda connection: add_token(connection, "test", name="all", scope="admin"))
    finally:
        station.close()
    return str(token["secret"])


def _add(station: Station, name: str, settings: RecipeSettings) -> None:
    station.store.write(
        lambda connection: add_recipe(connection, "test", name=name, title=name, number=None, settings=settings)
    )
