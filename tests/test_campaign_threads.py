"""The short form of campaigns/threads.py."""

from pathlib import Path

from campaigns.threads import inspect_beside_changes


def test_every_result_is_that_of_the_version_it_names(tmp_path: Path) -> None:
    found = inspect_beside_changes(tmp_path, inspections=400, replacements=40, seed=0)
    assert found.errors == []
    assert found.inspections == 400
    assert sum(found.replaced.values()) == 40
    assert len({version for version, _ in found.answers}) > 10
    assert found.wrong == 0
