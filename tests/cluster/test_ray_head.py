"""Commands that join a cluster whose head runs on this machine: with another token, and when the head dies."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
from crews import assert_equal
from heads import COMMAND, free_ports, listens
from parts import save_good_parts

import blemish

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (extra ray)"),
    pytest.mark.skipif(sys.platform != "linux", reason="tells processes as Linux does"),
]
OPTIONS = ("--size", "320", "--coreset", "500", "--seed", "1")
"""A fit that goes on for seconds."""
TOKEN = "0123456789abcdef0123456789abcdef"


class Plant:
    """A machine that starts the head of a cluster, again and again, at one address."""

    def __init__(self, folder: Path) -> None:
        (self._port,) = free_ports(1)
        self._folder, self.address = folder, f"127.0.0.1:{self._port}"
        self._starts: list[subprocess.Popen[bytes]] = []
        (folder / "token").write_text(TOKEN)
        self.environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
        self.environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(folder / "token")}
        self.environment |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # listens at the loopback address alone

    def start(self) -> None:
        ray = str(Path(sys.executable).with_name("ray"))
        command = [ray, "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={self._port}"]
        command += ["--num-cpus=2", f"--temp-dir={self._folder}/r", "--include-dashboard=false"]
        command += ["--object-store-memory=100000000", "--min-worker-port=0", "--max-worker-port=0"]
        with (self._folder / "head.log").open("ab") as log:
            # A group of its own, so that all of it can be killed.
            self._starts.append(
                subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, start_new_session=True)
            )
        self._wait(lambda: "Ray runtime started" in (self._folder / "head.log").read_text())
        self._wait(lambda: listens(self._port))

    def kill(self) -> None:
        """All processes of the head at once, as where its machine goes."""
        listed = subprocess.run(["ps", "-wweo", "pid=,args="], capture_output=True, text=True, check=True).stdout
        own = [int(line.split()[0]) for line in listed.splitlines() if f"{self._folder}/r" in line]
        for process in [*own, *(each.pid for each in self._starts if each.poll() is None)]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        for each in self._starts:
            each.wait(60)
        (self._folder / "head.log").unlink(missing_ok=True)

    def begun(self, *arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
        """A command, while it runs."""
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments), "--cluster", self.address],
            env=self.environment | environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _wait(self, ready: Callable[[], bool]) -> None:
        for _ in range(1200):
            if ready():
                return
            assert self._starts[-1].poll() is None, (self._folder / "head.log").read_text()
            time.sleep(0.1)
        raise AssertionError("the head does not start")


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    found = Plant(tmp_path_factory.mktemp("p"))
    found.start()
    try:
        yield found
    finally:
        found.kill()


@pytest.fixture
def good(tmp_path: Path) -> Path:
    folder = tmp_path / "good"
    folder.mkdir()
    return save_good_parts(folder, 70, 80, 96)


@pytest.mark.parametrize("how", ["another", "none", "no file"])
def test_a_token_that_is_not_the_clusters_is_one_sentence(good: Path, plant: Plant, tmp_path: Path, how: str) -> None:
    """Ray tried for twenty seconds, printed a line for each, and said nothing of a token in the end."""
    (tmp_path / "another").write_text(TOKEN[::-1])
    given = {"RAY_AUTH_MODE": "disabled"} if how == "none" else {"RAY_AUTH_TOKEN_PATH": str(tmp_path / how)}
    begun = plant.begun("fit", good, "-o", tmp_path / "x.blemish", **given)
    _, said = begun.communicate(timeout=200)
    assert begun.returncode == 2
    assert said.splitlines() == [
        f"blemish: The cluster {plant.address} asks for a token that this process does not have; set "
        f"RAY_AUTH_MODE=token, and put its token into ~/.ray/auth_token, or into the file that RAY_AUTH_TOKEN_PATH "
        f"names."
    ]
    assert not (tmp_path / "x.blemish").exists()


@pytest.mark.slow
def test_a_head_that_dies_is_one_sentence_and_the_fit_goes_on_with_another(
    good: Path, plant: Plant, tmp_path: Path
) -> None:
    state, model, spill = tmp_path / "state", tmp_path / "x.blemish", tmp_path / "spill"
    spill.mkdir()
    asked = ("fit", good, "-o", model, *OPTIONS, "--cluster-state", state, "--spill-folder", spill)
    begun = plant.begun(*asked)
    while len(list(state.glob("chunk-*"))) < 2:
        assert begun.poll() is None, begun.communicate()
        time.sleep(0.02)
    plant.kill()
    _, said = begun.communicate(timeout=200)
    assert begun.returncode == 2
    last = said.splitlines()[-1]
    assert re.fullmatch(
        rf"blemish: The head of the cluster at {plant.address} no longer answers, .* a fit goes on\.", last
    )
    assert "Traceback" not in said
    assert not model.exists()
    kept = {path.name for path in state.glob("chunk-*")}
    assert len(kept) >= 2
    plant.start()
    again = plant.begun(*asked)
    _, said = again.communicate(timeout=400)
    assert again.returncode == 0, said
    assert list(state.iterdir()) == []
    alone = blemish.fit(good, size=320, coreset=500, seed=1, progress=False)
    assert_equal(alone, blemish.load(model))
