"""The built wheel, installed in an empty environment without network, fits and inspects.

`make test` builds the wheel and fetches those of its dependencies, and says where in BLEMISH_WHEELHOUSE.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from parts import good_part, save_image, stained_part

WHEELHOUSE = os.environ.get("BLEMISH_WHEELHOUSE")
MEGABYTES, PACKAGES = 430, 32

pytestmark = pytest.mark.skipif(not WHEELHOUSE, reason="BLEMISH_WHEELHOUSE names no folder of wheels")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment that holds the wheel and what it needs, and nothing that comes from elsewhere."""
    assert WHEELHOUSE is not None
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [str(scripts(folder) / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = Path(WHEELHOUSE).resolve()
    subprocess.run([*pip, "install", "--no-index", "--find-links", wheels, "blemish"], check=True)
    return folder


def scripts(environment: Path) -> Path:
    return environment / ("Scripts" if sys.platform == "win32" else "bin")


def offline() -> tuple[list[str], dict[str, str]]:
    """How to start a command that finds no network: without one, else with proxies that lead nowhere."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "BLEMISH_HOME"}}
    dead = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    unshare = ["unshare", "-rn"]
    if shutil.which("unshare") and subprocess.run([*unshare, "true"], capture_output=True).returncode == 0:
        return unshare, kept
    return [], kept | dead


def run(environment: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    prefix, variables = offline()
    command = [*prefix, str(scripts(environment) / "blemish"), *arguments]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)


def test_the_environment_is_small_and_holds_no_torch(environment: Path) -> None:
    listed = subprocess.run(
        [scripts(environment) / "python", "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"],
        capture_output=True,
        check=True,
    )
    names = {package["name"].lower() for package in json.loads(listed.stdout)} - {"pip", "setuptools"}
    assert "blemish" in names
    assert not names & {"torch", "torchvision", "timm"}
    assert len(names) <= PACKAGES, sorted(names)
    size = sum(path.stat().st_size for path in environment.rglob("*") if path.is_file() and not path.is_symlink())
    assert size < MEGABYTES * 1e6


def test_one_wheel_serves_every_python_from_3_11_on() -> None:
    assert WHEELHOUSE is not None
    (wheel,) = Path(WHEELHOUSE).glob("blemish-*.whl")
    assert "-cp311-abi3-" in wheel.name
    with zipfile.ZipFile(wheel) as file:
        (extension,) = [name for name in file.namelist() if "/_kernels." in name and not name.endswith((".c", ".h"))]
    assert ".abi3." in extension or extension.endswith(".pyd")


def test_the_wheel_fits_and_inspects_without_network(environment: Path, tmp_path: Path) -> None:
    for seed in range(4):
        save_image(tmp_path / "good" / f"{seed}.png", good_part(seed))
    save_image(tmp_path / "line" / "good.png", good_part(0))
    save_image(tmp_path / "line" / "stain.png", stained_part(9).grey)
    (tmp_path / "line" / "cut.png").write_bytes(b"no image")
    options = ("--size", "96", "--coreset", "60", "--json")
    fitted = run(environment, tmp_path, "fit", "good", "-o", "part.blemish", *options)
    assert fitted.returncode == 0, fitted.stderr
    assert json.loads(fitted.stdout)["backbone"]["name"] == "efficientnet_lite0"
    inspected = run(environment, tmp_path, "inspect", "part.blemish", "line", "--json")
    verdicts = {Path(row["path"]).name: row["verdict"] for row in json.loads(inspected.stdout)}
    assert verdicts == {"cut.png": "ERROR", "good.png": "OK", "stain.png": "NG"}
    assert inspected.returncode == 2


def test_the_installation_says_that_it_is_well(environment: Path, tmp_path: Path) -> None:
    examined = run(environment, tmp_path, "doctor", "--json")
    assert json.loads(examined.stdout)["problems"] == []
    assert examined.returncode == 0
