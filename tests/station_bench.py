"""A station for tests: its folder, its server on a free port of this machine, and clients with each grant."""

import asyncio
import hashlib
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import httpx
import pytest

from blemish.arrays import Array
from blemish.calibrating import calibrate
from blemish.detector import Detector, load
from blemish.service.clock import new_id, now
from blemish.service.serving import application, listening, server_of
from blemish.service.settings import StationSettings
from blemish.service.station import Station
from blemish.service.store.recipes import find_recipe
from blemish.service.store.users import add_session, add_token, add_user
from blemish.service.store.versions import Version, add_version, model_path
from blemish.service.work.child import about

__all__ = ["API", "SETTINGS", "Bench", "blind", "encoded", "inspect_slowly", "opened", "put_on_line", "wait_for"]

API = "/api/v1"
SETTINGS: dict[str, Any] = {"deadline_ms": 600_000, "options": {"size": 64, "coreset": 20, "folds": 2}}
"""Of recipes: small networks, and no verdict is late on a busy machine."""


def encoded(pixels: Array, suffix: str = ".png") -> bytes:
    """Pixels as the bytes of a file."""
    return bytes(cv2.imencode(suffix, pixels)[1].tobytes())


class Bench:
    """A station, and clients with each grant."""

    def __init__(self, station: Station, app: Any, port: int) -> None:
        self.station, self.app, self.port = station, app, port
        self._clients: list[httpx.Client] = []
        self.admin = self.with_token("admin")

    def client(self, **headers: str) -> httpx.Client:
        """A client without any grant."""
        client = httpx.Client(base_url=f"http://localhost:{self.port}", headers=headers, timeout=600, trust_env=False)
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Close all clients."""
        for client in self._clients:
            client.close()

    def with_token(self, scope: str) -> httpx.Client:
        """A machine with a token of this scope."""
        token = self.station.store.write(lambda connection: add_token(connection, "test", name=scope, scope=scope))
        return self.client(Authorization=f"Bearer {token['secret']}")

    def with_role(self, role: str) -> httpx.Client:
        """A browser in which a user of this role is logged in."""
        name = f"{role} {self.station.store.read.execute('SELECT count(*) FROM user').fetchone()[0]}"
        user = self.station.store.write(
            lambda connection: add_user(connection, "test", name=name, role=role, password=None)
        )
        secret = self.station.store.write(lambda connection: add_session(connection, user["id"]))
        return self.client(Cookie=f"blemish_session={secret}")

    def recipe(self, name: str, **settings: Any) -> None:
        """A recipe of this name."""
        answer = self.admin.post(f"{API}/recipes", json={"name": name, "settings": SETTINGS | settings})
        assert answer.status_code == 201, answer.text

    def taught(self, name: str, model: Path, **settings: Any) -> str:
        """A recipe with a model on line, as if a job had made it; the id of its version."""
        self.recipe(name, **settings)
        return put_on_line(self.station, name, model)

    def model(self, name: str) -> Path:
        """The model file of the version on line."""
        return model_path(self.station.store.models, self.version(name))

    def inspect(self, name: str, data: bytes, **query: str) -> dict[str, Any]:
        """The answer for one part."""
        kind = {"Content-Type": "image/png"}
        answer = self.admin.post(f"{API}/recipes/{name}/inspections", content=data, params=query, headers=kind)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def version(self, name: str) -> Version:
        """The version on line."""
        return self.station.registry.take(name).version


def blind(model: Path, to: Path) -> Path:
    """A model that lets every part pass, written to a file."""
    calibrate(load(model), threshold=1e6).save(to)
    return to


def inspect_slowly(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let every inspection take so much longer."""
    inspect = Detector.inspect

    def slowly(self: Detector, image: Any) -> Any:
        time.sleep(seconds)
        return inspect(self, image)

    monkeypatch.setattr(Detector, "inspect", slowly)


def put_on_line(station: Station, name: str, model: Path) -> str:
    """Keep a model as the next version of a recipe and put it on line; its id. No child process is started."""
    recipe = find_recipe(station.store.read, name)
    detector = load(model, threads=1)
    version = Version(
        id=new_id(),
        recipe=recipe.id,
        number=0,
        parent=None,
        kind="upload",
        sha256=hashlib.sha256(model.read_bytes()).hexdigest(),
        model=detector.model.version,
        info=about(detector),
        by="test",
        at=now(),
        why="",
    )
    path = model_path(station.store.models, version)
    path.parent.mkdir(exist_ok=True)
    shutil.copyfile(model, path)
    made = station.store.write(lambda connection: add_version(connection, "test", name, version))
    station.promote("test", recipe, made, "")
    return made.id


def wait_for(client: httpx.Client, job: str) -> dict[str, Any]:
    """A job once it has ended."""
    while True:
        found: dict[str, Any] = client.get(f"{API}/jobs/{job}").json()
        if found["state"] not in ("queued", "running"):
            return found
        time.sleep(0.05)


@contextmanager
def opened(folder: Path, **settings: Any) -> Iterator[Bench]:
    """A station over a folder, and its server, while the block runs."""
    found = StationSettings(**{"record_within_ms": 60_000, **settings})
    station = Station(folder, found)
    app = application(station)
    socket = listening("127.0.0.1", 0)
    server = server_of(app, station)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[socket])))
    thread.start()
    bench = Bench(station, app, socket.getsockname()[1])
    try:
        yield bench
    finally:
        bench.close()
        server.should_exit = True
        thread.join()
        socket.close()
        station.close()
