"""The pages on the API and on problems are what the station says of itself."""

import importlib.util
from pathlib import Path

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
