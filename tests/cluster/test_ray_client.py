"""Commands that reach a cluster by Ray's client: its head runs on this machine, with ports and a token of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from crews import assert_equal
from heads import COMMAND, free_ports, listens
from parts import save_good_parts, save_image, stained_part

import blemish

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(not (find_spec("ray") and find_spec("grpc")), reason="Ray or grpcio is not installed"),
    pytest.mark.skipif(sys.platform != "linux", reason="tells processes as Linux does"),
]
OPTIONS = ("--size", "32", "--coreset", "60", "--seed", "1")
LONG = ("--size", "512", "--coreset", "500")
"""A fit that goes on for seconds."""


@dataclass(frozen=True)
class Head:
    """The head of a cluster of two processors."""

    process: subprocess.Popen[bytes]
    address: str
    environment: dict[str, str]

    def blemish(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """A command, as it is typed outside of the cluster."""
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )

    def begun(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """The same, while it runs."""
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)], env=self.environment, stderr=subprocess.PIPE, text=True
        )


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    """Ray as `ray start` starts it, with a server for clients, for all tests of this file."""
    port, server = free_ports(2)
    folder = tmp_path_factory.mktemp("r")
    token = folder / "token"
    token.write_text("0123456789abcdef0123456789abcdef")
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    environment |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # its switch for listening at the loopback address alone
    ray = str(Path(sys.executable).with_name("ray"))
    command = [ray, "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={port}", "--num-cpus=2"]
    command += [f"--ray-client-server-port={server}", f"--temp-dir={folder}", "--include-dashboard=false"]
    command += ["--object-store-memory=100000000", "--min-worker-port=0", "--max-worker-port=0"]
    log = (folder / "head.log").open("wb")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(2400):
            if process.poll() is not None or listens(server):
                break
            time.sleep(0.1)
        assert listens(server), (folder / "head.log").read_text()
        yield Head(process, f"ray://127.0.0.1:{server}", environment)
    finally:
        process.terminate()
        process.wait(120)
        log.close()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_good_parts(tmp_path_factory.mktemp("good"), 70, 40, 48)


@pytest.fixture(scope="module")
def model(good: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a fit without a cluster writes."""
    found = tmp_path_factory.mktemp("model") / "here.blemish"
    blemish.fit(good, size=32, coreset=60, seed=1, progress=False).save(found)
    return found


def test_a_fit_by_the_client_is_that_of_one_process(good: Path, model: Path, head: Head, tmp_path: Path) -> None:
    there, state = tmp_path / "there.blemish", tmp_path / "state"
    done = head.blemish("fit", good, "-o", there, *OPTIONS, "--cluster", head.address, "--cluster-state", state)
    assert done.returncode == 0, done
    assert "70 good images at 32x32" in done.stderr
    assert_equal(blemish.load(model), blemish.load(there))
    assert list(state.iterdir()) == []


def test_an_inspection_by_the_client_gives_the_rows_of_one_process(
    good: Path, model: Path, head: Head, tmp_path: Path
) -> None:
    save_image(tmp_path / "line" / "stained.png", stained_part(3).grey)
    (tmp_path / "line" / "broken.png").write_bytes(b"no picture")
    here = head.blemish("inspect", model, good, tmp_path / "line", "--csv", tmp_path / "a.csv")
    asked = ("inspect", model, good, tmp_path / "line", "--cluster", head.address)
    there = head.blemish(*asked, "--csv", tmp_path / "b.csv")
    assert (there.returncode, there.stdout) == (here.returncode, here.stdout) == (2, here.stdout), there
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()
    assert "1 ERROR" in head.blemish(*asked, "--parquet", tmp_path / "parts").stderr
    assert (tmp_path / "parts" / "part-00000000.parquet").is_file()


def test_a_path_that_the_cluster_lacks_is_one_sentence(head: Head, tmp_path: Path) -> None:
    done = head.blemish("fit", tmp_path / "no", "-o", tmp_path / "x.blemish", "--cluster", head.address)
    assert done.returncode == 2
    said = f"blemish: The machine {re.escape(os.uname().nodename)} of the cluster says: .*/no does not exist"
    assert re.match(said, done.stderr.splitlines()[-1]), done
    assert list(tmp_path.iterdir()) == []


def test_a_token_that_differs_and_a_port_of_something_else_are_one_sentence(head: Head, tmp_path: Path) -> None:
    asked = ("fit", tmp_path, "-o", tmp_path / "x.blemish", "--cluster")
    other = Head(head.process, head.address, head.environment | {"RAY_AUTH_MODE": "disabled"})
    done = other.blemish(*asked, head.address)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done
    assert f"The cluster {head.address} cannot be used: " in done.stderr
    assert "have one token (RAY_AUTH_MODE=token)" in done.stderr
    done = head.blemish(*asked, f"ray://127.0.0.1:{free_ports(1)[0]}")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done
    assert "Nothing answers at the cluster ray://127.0.0.1:" in done.stderr


def long_fit(good: Path, head: Head, tmp_path: Path) -> tuple[subprocess.Popen[str], Path]:
    """A fit whose workers write patches already, and their folder."""
    spill = tmp_path / "spill"
    spill.mkdir()
    asked = ("fit", good, "-o", tmp_path / "x.blemish", *LONG, "--spill-folder", spill, "--cluster", head.address)
    begun = head.begun(*asked)
    for _ in range(1200):
        if begun.poll() is not None or any(path.stat().st_size for path in spill.iterdir()):
            break
        time.sleep(0.05)
    assert begun.poll() is None, begun.communicate()
    return begun, spill


def test_ctrl_c_ends_the_work_there_and_deletes_its_patches(good: Path, head: Head, tmp_path: Path) -> None:
    begun, spill = long_fit(good, head, tmp_path)
    begun.send_signal(signal.SIGINT)
    _, said = begun.communicate(timeout=200)
    assert begun.returncode == 2
    assert said.splitlines()[-1] == "blemish: Stopped; what was already written is whole."
    assert "Traceback" not in said
    assert list(spill.iterdir()) == []
    assert not (tmp_path / "x.blemish").exists()
    for _ in range(600):
        if not at_work(head):
            break
        time.sleep(0.05)
    assert at_work(head) == []


def test_a_conductor_that_dies_is_one_sentence(good: Path, head: Head, tmp_path: Path) -> None:
    begun, _ = long_fit(good, head, tmp_path)
    (conductor,) = [process for process, name in at_work(head) if "Conducting" in name]
    os.kill(conductor, signal.SIGKILL)
    _, said = begun.communicate(timeout=200)
    assert begun.returncode == 2
    assert f"The process that leads the work on the cluster {head.address} died; look at" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert not (tmp_path / "x.blemish").exists()


def at_work(head: Head) -> list[tuple[int, str]]:
    """The processes of the cluster that do work of blemish."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    parents = {int(own): int(parent) for own, parent, _ in rows}
    found = {head.process.pid}
    while more := {own for own, parent in parents.items() if parent in found} - found:
        found |= more
    named = [(int(own), name) for own, _, name in rows if int(own) in found]
    return [(own, name) for own, name in named if re.match(r"ray::(Conducting|_Actor)", name)]
