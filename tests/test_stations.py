"""Functions stay short and one inspection passes few files; scripts/stations.py counts."""

import importlib.util
import statistics
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stations", ROOT / "scripts" / "stations.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["stations"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_functions_can_be_read_at_a_glance(script: ModuleType) -> None:
    functions = list(script.functions())
    assert statistics.median(function.lines for function in functions) <= 8
    assert [f"{each.file}: {each.name}" for each in functions if each.lines > 60] == []


def test_one_inspection_passes_few_files(script: ModuleType) -> None:
    """docs/follow-one-image.md says what each does."""
    way = script.traced_inspection()
    assert {"model/inspection.py", "methods/patchcore.py", "search/exact.py"} <= set(way.stations)
    assert len({file.split("/")[0] for file in way.stations}) <= 9, "rooms"
    assert len(way.stations) <= 9
