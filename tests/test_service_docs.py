"""The pages on the API and on problems are what the station says of itself."""

import importlib.util
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from parts import good_part
from station_bench import API, encoded, opened

from blemish.service.serving import application
from blemish.service.settings import StationSettings
from blemish.service.station import Station

ROOT = Path(__file__).parent.parent


def test_the_pages_are_those_of_the_station() -> None:
    spec = importlib.util.spec_from_file_location("write_station_docs", ROOT / "scripts" / "write_station_docs.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for path, page in script.PAGES.items():
        assert path.read_text(encoding="utf-8") == page(), "run: make docs"


def test_every_answer_in_json_has_a_named_shape(tmp_path: Path) -> None:
    station = Station(tmp_path / "station", StationSettings())
    try:
        described = application(station).openapi()
    finally:
        station.close()
    shapes, seen, shapeless = described["components"]["schemas"], 0, []
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                if not status.startswith("2") or "application/json" not in answer.get("content", {}):
                    continue
                seen += 1
                schema = answer["content"]["application/json"].get("schema", {})
                name = schema.get("items", schema).get("$ref", "").rpartition("/")[2]
                if not shapes.get(name, {}).get("properties"):
                    shapeless.append(f"{method} {path} {status}")
    assert seen > 50
    assert shapeless == []


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="sqlite3 is not here")
def test_a_backup_is_made_and_restored_as_the_guide_says(tmp_path: Path, model: Path) -> None:
    """The commands failed as they were typed, on a folder that nobody had made and settings that nobody had written."""
    guide = (ROOT / "docs/station.md").read_text("utf-8")
    commands = re.findall(r"A backup while the station runs.*?```console\n(.*?)```", guide, re.S)[0]
    with opened(tmp_path / "DATA") as bench:
        bench.taught("part", model)
        part = bench.inspect("part", encoded(good_part(1)))
        bench.station.flush()
        for settings in (False, True):
            if settings:
                (tmp_path / "DATA/blemish.toml").write_text("max_body_mb = 60\n", "utf-8")
            shutil.rmtree(tmp_path / "backup", ignore_errors=True)
            said = subprocess.run(["bash", "-euc", commands], cwd=tmp_path, capture_output=True, text=True, check=False)
            assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    [backup] = (tmp_path / "backup").iterdir()
    assert (backup / "blemish.toml").is_file()
    with closing(sqlite3.connect(backup / "station.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with opened(backup) as restored:
        token = bench.admin.headers["Authorization"]
        client = restored.client(Authorization=token)
        assert client.get(f"{API}/inspections/{part['id']}").json()["verdict"] == part["verdict"]
        assert client.get(part["links"]["overlay"]).status_code == 200
