"""What a type checker and `help` tell a user of the options of fit."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import blemish
from blemish.options.given import FitOptions
from blemish.options.settings import fields, make_settings

ROOT = Path(__file__).parent.parent

GOOD = """
from pathlib import Path

import blemish

blemish.fit("good/")
blemish.fit("good/", preset="paper", coreset=0.1, size=224, threads=2)
blemish.fit("good/", coreset="1%", size="320x256", taps="2,3", pixel_range="0,4095", memory="2GB", projection="none")
blemish.fit("good/", taps=[2, 3], size=(320, 256), include=[Path("area.png")], pixel_range=(0, 4095), tiles="auto")
blemish.fit("good/", settings=blemish.Settings(method="padim", dimensions=50), threads=2)
settings: blemish.Settings = blemish.Settings(coreset="5000")
rows: float = settings.coreset
"""

BAD = {
    'blemish.fit("good/", corset=0.1)': "corset",
    'blemish.fit("good/", coreset=[0.1])': "coreset",
    'blemish.fit("good/", method="patchcor")': "method",
    'blemish.fit("good/", folds="five")': "folds",
    'blemish.fit("good/", preset=1)': "preset",
    'blemish.fit("good/", removable="yes")': "removable",
    'blemish.fit("good/", settings={"coreset": 0.1})': "settings",
    "blemish.Settings(corset=0.1)": "corset",
    "blemish.Settings(threads=2)": "threads",
}


@pytest.mark.long
def test_mypy_knows_the_options(tmp_path: Path) -> None:
    """`mypy --strict` on a user's files."""
    pytest.importorskip("mypy")
    (tmp_path / "good.py").write_text(GOOD, encoding="utf-8")
    (tmp_path / "bad.py").write_text("import blemish\n" + "\n".join(BAD) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--no-color-output", "good.py", "bad.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=600)
    assert done.returncode == 1, done.stderr
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert not [error for error in errors if error.startswith("good.py")]
    for number, (line, option) in enumerate(BAD.items(), start=2):
        found = [error for error in errors if error.startswith(f"bad.py:{number}:")]
        assert found, line
        assert option in found[0], line
    assert len(errors) == len(BAD)


def test_the_types_are_those_of_the_options() -> None:
    spec = importlib.util.spec_from_file_location("write_options", ROOT / "scripts" / "write_options.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    there = (ROOT / "src" / "blemish" / "options" / "given.py").read_text(encoding="utf-8")
    assert there == script.page(), "run: make docs"
    assert FitOptions.__annotations__.keys() == fields().keys()


def test_help_lists_every_option_with_its_type_and_meaning() -> None:
    told = " ".join(str(blemish.fit.__doc__).split())
    for name, field in fields().items():
        assert f"{name}: " in told
        assert str(field.description) in told, name
    assert "coreset: float | str Patches kept" in told


def test_settings_beside_single_options_are_refused() -> None:
    settings = make_settings(coreset=0.1)
    with pytest.raises(blemish.OptionError, match=r"Option coreset is given beside settings; give it to Settings\("):
        blemish.fit("good/", settings=settings, coreset=0.2)


def test_settings_are_taken_whole(folder: Path) -> None:
    settings = blemish.Settings(size=64, coreset=20, folds=2, seed=1)
    single = blemish.fit(folder / "fit", size=64, coreset=20, folds=2, seed=1)
    whole = blemish.fit(folder / "fit", settings=settings, threads=1)
    assert whole.model.manifest.settings == single.model.manifest.settings == settings
    assert whole.threshold == single.threshold
