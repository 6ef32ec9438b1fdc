"""Nothing leaves the machine: in an empty network namespace, nobody even asks for a host, and nothing stays at home."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import blemish

SOURCE = Path(blemish.__file__).parent
LINE = """
import os, sys, time
import numpy as np, blemish
random = np.random.default_rng(0)
parts = [random.integers(100, 130, (64, 64), np.uint8) for _ in range(6)]
detector = blemish.fit(parts, size=64)
assert "ORT_DISABLE_TELEMETRY" not in os.environ, "the environment was changed"
for part in parts:
    detector.inspect(part)
    time.sleep(1)  # the sender waits for a while
"""


def test_no_file_of_ours_imports_the_runtime_with_its_telemetry_on() -> None:
    lines = [
        (path.relative_to(SOURCE).as_posix(), line.strip())
        for path in SOURCE.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
    ]
    importers = [path for path, line in lines if line.startswith(("import onnxruntime", "from onnxruntime"))]
    assert importers == ["backbones/runtime.py"]


@pytest.mark.parametrize("network", [False, True], ids=["files", "network"])
def test_fitting_and_inspecting_ask_for_no_host_and_leave_nothing(network: bool, tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    command = [sys.executable, "-c", LINE]
    if network:
        command = [*_watched(trace), *command]
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run(command, env=environment | {"HOME": str(home)}, cwd=tmp_path, check=True, timeout=300)
    assert [path.name for path in home.rglob("*") if path.is_file()] == []
    if network:
        assert [line for line in trace.read_text("utf-8").splitlines() if "connect(" in line or "sendto(" in line] == []


def _watched(trace: Path) -> list[str]:
    """In a network namespace of its own, every call of the network written down."""
    if not shutil.which("unshare") or not shutil.which("strace"):
        pytest.skip("needs Linux with unshare and strace")
    command = ["unshare", "-n", "strace", "-f", "-e", "trace=network", "-e", "signal=none", "-o", str(trace)]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to make a network namespace and to trace (root)")
    return command
