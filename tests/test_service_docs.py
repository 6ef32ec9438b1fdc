"""The pages on the API and on problems are what the station says of itself."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_pages_are_those_of_the_station() -> None:
    spec = importlib.util.spec_from_file_location("write_station_docs", ROOT / "scripts" / "write_station_docs.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for path, page in script.PAGES.items():
        assert path.read_text(encoding="utf-8") == page(), "run: make docs"
