"""Checkpoints and parts in a bucket, on a server of S3 that runs on this machine (`pip install moto[server]`)."""

import os
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from crews import LocalCrew, assert_equal, cluster_of
from parts import good_part, save_image

import blemish
from blemish.cluster.inspecting import inspect_to_parts
from blemish.cluster.storage import Storage
from blemish.cluster.worker import Call
from blemish.errors import DataError, OptionError
from blemish.result import Verdict

SERVER = os.environ.get("BLEMISH_MOTO_SERVER") or shutil.which("moto_server")
pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed (extra ray)"),
    pytest.mark.skipif(SERVER is None, reason="moto_server is not installed (BLEMISH_MOTO_SERVER names it elsewhere)"),
]
OPTIONS: dict[str, Any] = {"size": 32, "coreset": 60, "seed": 1, "threads": 1, "progress": False}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server that holds the bucket `plant`."""
    with _serving({}) as address:
        yield address


@contextmanager
def _serving(environment: dict[str, str]) -> Iterator[str]:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = subprocess.Popen(
        [str(SERVER), "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | environment,
    )
    try:
        _wait_for(port, running)
        urlopen(Request(f"http://127.0.0.1:{port}/plant", method="PUT")).close()
        yield f"127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait()


def _wait_for(port: int, running: "subprocess.Popen[bytes]") -> None:
    while running.poll() is None:
        with closing(socket.socket()) as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server ended")


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who one is to a bucket is said by the environment, never by an option."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "plant")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-plant")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def place(server: str, name: str) -> str:
    return f"s3://{name}?scheme=http&region=us-east-1&endpoint_override={server}"


def test_files_of_a_bucket_are_whole_or_absent(server: str) -> None:
    storage = Storage(place(server, "plant/files"))
    assert storage.names() == []
    assert storage.get("a.json") is None
    storage.put("b.json", b"two")
    storage.put("a.json", b"one")
    storage.put("a.json", b"three")
    assert storage.names() == ["a.json", "b.json"]
    assert storage.get("a.json") == b"three"
    storage.remove(["a.json", "b.json"])
    assert storage.names() == []


def test_a_bucket_that_cannot_be_reached_is_said_in_a_sentence(server: str) -> None:
    with pytest.raises(DataError, match=r"s3://nobody/x.* cannot be used: "):
        Storage(place(server, "nobody/x")).put("a", b"")
    with pytest.raises(OptionError, match=r"cannot be used: .*give a folder, s3://, gs:// or abfs://"):
        Storage("ftp://plant/x")


def test_a_bucket_without_permission_is_said_in_a_sentence() -> None:
    """The server asks from its second request on who one is, and knows nobody."""
    with _serving({"INITIAL_NO_AUTH_ACTION_COUNT": "1"}) as strict:
        with pytest.raises(DataError, match=r"s3://plant/x.* cannot be used: .*(ACCESS_DENIED|INVALID_ACCESS_KEY_ID)"):
            Storage(place(strict, "plant/x")).put("a", b"")
        with pytest.raises(DataError, match=r"s3://plant/x.* cannot be used: "):
            Storage(place(strict, "plant/x")).names()


class Killed(Exception):
    """The end of whoever hands out the work."""


def test_a_fit_goes_on_from_a_bucket_and_an_inspection_writes_there(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blemish.cluster.shards.RayShards.message", 15_000.0)  # many rounds
    monkeypatch.setattr("blemish.cluster.inspecting.PART", 4)
    good = tmp_path / "good"
    for seed in range(70):
        save_image(good / f"{seed:03}.png", good_part(seed, 40, 48))
    alone = blemish.fit(good, **OPTIONS)
    state = place(server, "plant/state")

    def dies(number: int, call: Call) -> bool:
        if call.method == "each":
            raise Killed
        return False

    given = OPTIONS | {"spill_folder": tmp_path}
    with pytest.raises(Killed):
        blemish.fit(good, cluster=cluster_of(LocalCrew(2, dies), state), **given)
    kept = Storage(state)
    assert any("round" in name for name in kept.names())
    for name in kept.names():
        assert b"secret-of-the-plant" not in (kept.get(name) or b"")
    cluster = cluster_of(LocalCrew(1), state)
    assert_equal(alone, blemish.fit(good, cluster=cluster, **given))
    cluster.clear_checkpoint()
    assert kept.names() == []
    out = place(server, "plant/out")
    paths = sorted(good.iterdir())[:6]
    counts = sum(inspect_to_parts(cluster_of(LocalCrew(2)), alone, paths, out), Counter[Verdict]())
    assert counts.total() == 6
    assert Storage(out).names() == ["part-00000000.parquet", "part-00000001.parquet", "run.json"]
