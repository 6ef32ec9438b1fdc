"""What a crew asks of Ray, without starting it."""

from collections import Counter
from typing import Any

import pytest

pytestmark = pytest.mark.ray
ray = pytest.importorskip("ray")


def test_machines_are_asked_once_for_all_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each worker asked anew: of 200 workers, 200 times the list of all machines."""
    from blemish.cluster.crew import Crew

    class Hired(Crew):
        def __init__(self, nodes: list[str]) -> None:
            self._nodes = nodes

    asked: Counter[str] = Counter()

    def nodes() -> list[dict[str, Any]]:
        asked["nodes"] += 1
        return [{"NodeID": "a", "Resources": {"memory": 900.0}}, {"NodeID": "b", "Resources": {}}]

    monkeypatch.setattr(ray, "nodes", nodes)
    crew = Hired(["a", "b", "a"])
    assert crew.memory(None) == [450, 0, 450]
    assert asked["nodes"] == 1
    assert crew.memory(1000) == [500, 1000, 500]
    assert asked["nodes"] == 1
