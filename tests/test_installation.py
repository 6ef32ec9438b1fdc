"""What the doctor says of an installation, whole or broken."""

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from shell import RunCli

from blemish.backbones import backbone
from blemish.diagnosis import installation


def test_a_whole_installation_has_no_problems() -> None:
    found = installation.examine_installation()
    assert found["problems"] == []
    assert "cpu" in found["providers"]
    assert found["threads"] >= 1
    assert found["backbone"].startswith("efficientnet_lite0, sha256 ")
    assert {"numpy", "onnxruntime", "pillow"} <= found["versions"].keys()


def test_it_says_which_kernels_run(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = importlib.util.find_spec("blemish.kernels._kernels") is not None
    assert installation.examine_installation()["kernels"].startswith("compiled C, " if compiled else "NumPy")
    monkeypatch.setitem(sys.modules, "blemish.kernels._kernels", None)
    assert installation.examine_installation()["kernels"].startswith("NumPy (no compiled extension")


def test_two_builds_of_onnx_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["onnxruntime", "OnnxRuntime-GPU", "onnxruntime-extensions", "numpy"]
    monkeypatch.setattr(
        installation, "distributions", lambda: [SimpleNamespace(metadata={"Name": name}) for name in names]
    )
    (problem,) = installation.examine_installation()["problems"]
    assert "onnxruntime and onnxruntime-gpu are both installed" in problem


def test_a_half_removed_onnx_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uninstalling one of two builds leaves an empty module behind."""
    # The packages' attributes are put back as well: importing anew sets them to second modules that nobody else uses.
    for module in ("blemish.backbones.runtime", "blemish.features.patches"):
        monkeypatch.setattr(module, importlib.import_module(module))
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    found = installation.examine_installation()
    assert found["providers"] == []
    assert "ONNX Runtime cannot be loaded" in found["problems"][0]


def test_a_damaged_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_cli: RunCli) -> None:
    name = "efficientnet_lite0"
    (tmp_path / f"{name}.json").write_bytes((backbone.BUILT_IN / f"{name}.json").read_bytes())
    (tmp_path / f"{name}.onnx").write_bytes((backbone.BUILT_IN / f"{name}.onnx").read_bytes()[:-1])
    monkeypatch.setattr(backbone, "BUILT_IN", tmp_path)
    outcome = run_cli("doctor", "--json")
    assert outcome.code == 2
    (problem,) = json.loads(outcome.stdout)["problems"]
    assert "sha256 differs" in problem


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a folder that nobody can write to")
def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLEMISH_HOME", "/proc/blemish")
    (problem,) = installation.examine_installation()["problems"]
    assert problem.startswith("The folder /proc/blemish/backbones cannot be written")


def test_the_command_prints_for_people_and_for_programs(run_cli: RunCli) -> None:
    people, program = run_cli("doctor"), run_cli("doctor", "--json")
    assert people.code == program.code == 0
    assert "problems     none" in people.stdout
    assert json.loads(program.stdout)["problems"] == []
