"""docs/python.md can be typed as it stands."""

import re
from pathlib import Path

import pytest
from parts import good_part, save_image, scratched_part

import blemish

PAGE = (Path(__file__).parent.parent / "docs" / "python.md").read_text(encoding="utf-8")


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="the extra [sklearn] is not installed")
    for seed in range(8):
        save_image(tmp_path / "good" / f"{seed}.png", good_part(seed))
    for seed in range(4):
        save_image(tmp_path / "labelled" / "good" / f"{seed}.png", good_part(200 + seed))
        save_image(tmp_path / "labelled" / "defective" / f"{seed}.png", scratched_part(300 + seed).grey)
    save_image(tmp_path / "line" / "scratch.png", scratched_part(102).grey)
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "docs/python.md", "exec"), known)
    assert (tmp_path / "report.html").is_file()
    assert repr(known["result"]) in PAGE


def test_the_page_shows_every_public_call() -> None:
    calls = [name for name in blemish.__all__ if name.islower()]
    missing = [name for name in calls if f"blemish.{name}" not in PAGE]
    assert not missing
