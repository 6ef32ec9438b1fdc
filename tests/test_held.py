"""Good images are decoded once: what was decoded for the first look is what the network sees."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blemish import calibrate, fit
from blemish.arrays import Array
from blemish.images import read
from blemish.images.encoded import Encoded
from blemish.images.held import Held
from blemish.images.read import decode
from blemish.images.rules import Rules


def test_pixels_are_given_until_they_are_taken() -> None:
    held, image = Held(memory=4 * 60), np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    held.hold(0, image)
    held.hold(1, image)  # for which no room is left
    assert held.seen(1, "b.png") == "b.png"
    for given in (held.seen(0, "a.png"), held.take(0, "a.png")):
        assert isinstance(given, tuple)
        assert given[0] == "a.png"
        assert given[1] is image
    assert held.take(0, "a.png") == "a.png"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the images that are decoded from now on, as often as they are."""
    names: list[str] = []

    def counted(encoded: Encoded, rules: Rules) -> Array:
        names.append(encoded.name)
        return decode(encoded, rules)

    monkeypatch.setattr(read, "decode", counted)
    return names


def made(folder: Path, count: int, seed: int) -> Path:
    """A folder of so many images."""
    folder.mkdir()
    generator = np.random.default_rng(seed)
    for number in range(count):
        Image.fromarray(generator.integers(0, 256, (320, 600, 3), np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize(("memory", "times"), [(None, 1), ("2MB", 2)])
def test_fit_decodes_each_file_once_where_memory_allows(
    tmp_path: Path, decoded: list[str], memory: str | None, times: int
) -> None:
    fit(made(tmp_path / "good", 4, seed=0), effort="quick", size=64, coreset=20, memory=memory, progress=False)
    assert len(decoded) == 4 * times


def test_calibrate_decodes_each_file_once(tmp_path: Path, decoded: list[str]) -> None:
    detector = fit(made(tmp_path / "good", 4, seed=0), effort="quick", size=64, coreset=20, progress=False)
    decoded.clear()
    calibrate(detector, made(tmp_path / "new", 5, seed=1), progress=False)
    assert sorted(Path(name).name for name in decoded) == [f"{number}.png" for number in range(5)]
