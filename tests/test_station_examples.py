"""What docs/station.md tells readers to type is run: by curl, and in Python."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from parts import good_part, save_image
from station_bench import Bench, opened, wait_for

pytestmark = [pytest.mark.long, pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")]
PAGE = (Path(__file__).parent.parent / "docs" / "station.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8765"


def test_the_first_product_by_curl_and_by_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seed in (("good/1.png", 1), ("good/2.png", 2), ("part.png", 100)):
        save_image(tmp_path / name, good_part(seed))
    with opened(tmp_path / "station") as bench:
        first, *commands = _commands()
        for command in commands:
            if "$S/jobs/JOB" in command:
                job = wait_for(bench.admin, bench.admin.get("/api/v1/jobs").json()[0]["id"])
                assert job["state"] == "done", job
                command = command.replace("JOB", job["id"])
            words = f"{first}\n{command} --silent --show-error --fail-with-body"
            said = subprocess.run(
                ["bash", "-c", words.replace(ADDRESS, _address(bench))],
                cwd=tmp_path,
                env={
                    "TOKEN": bench.admin.headers["Authorization"].split()[1],
                    "PATH": "/usr/bin:/bin",
                    "NO_PROXY": "*",
                },
                capture_output=True,
                text=True,
                check=False,
            )
            assert said.returncode == 0, (command, said.stdout, said.stderr)
        _python(bench, (tmp_path / "part.png").read_bytes())
        rows = bench.admin.get("/api/v1/inspections").json()["items"]
    assert [row["serial"] for row in rows] == ["4711"], "the key makes the second call the first"
    assert capsys.readouterr().out.split()[-1] == rows[0]["verdict"]


def _commands() -> list[str]:
    block = re.search(r"```console\n(S=.*?)```", PAGE, re.DOTALL)
    assert block
    return block[1].replace("\\\n", " ").strip().splitlines()


def _python(bench: Bench, picture: bytes) -> None:
    block = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert block
    names: dict[str, Any] = {"token": bench.admin.headers["Authorization"].split()[1], "picture": picture}
    exec(compile(block[1].replace(ADDRESS, _address(bench)), "docs/station.md", "exec"), names)
    names["station"].close()


def _address(bench: Bench) -> str:
    return f"http://127.0.0.1:{bench.port}"
