"""The file for Kubernetes in docs/cluster.md, as far as it can be checked without a cluster."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click import Command
from typer.main import get_command

from blemish.cli.main import app

pytestmark = pytest.mark.ray  # PyYAML comes with Ray
PAGE = Path(__file__).parent.parent.parent / "docs" / "cluster.md"


def manifest() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed (extra ray)")
    (written,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    found: dict[str, Any] = yaml.safe_load(written)
    return found


def test_the_job_names_volumes_that_are_there_and_sends_no_statistics() -> None:
    job = manifest()
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    for group in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]:
        pod = group["template"]["spec"]
        for container in pod["containers"]:
            mounts = {mount["name"] for mount in container["volumeMounts"]}
            assert mounts == {volume["name"] for volume in pod["volumes"]}
            assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]
            assert container["resources"]["limits"].keys() == {"cpu", "memory"}


def test_its_command_is_one_of_blemish() -> None:
    name, command, *arguments = shlex.split(manifest()["spec"]["entrypoint"])
    assert (name, command) == ("blemish", "fit")
    known: Command = get_command(app).commands[command]  # type: ignore[attr-defined]
    flags = {flag for parameter in known.params for flag in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("-")} <= flags
