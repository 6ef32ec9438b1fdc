"""Good images are decoded once: what was decoded for the first look is what the network sees."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blemish import fit
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


@pytest.mark.parametrize(("memory", "times"), [(None, 1), ("2MB", 2)])
def test_fit_decodes_each_file_once_where_memory_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: str | None, times: int
) -> None:
    generator = np.random.default_rng(0)
    for number in range(4):
        Image.fromarray(generator.integers(0, 256, (320, 600, 3), np.uint8)).save(tmp_path / f"{number}.png")
    decoded: list[str] = []

    def counted(encoded: Encoded, rules: Rules) -> Array:
        decoded.append(encoded.name)
        return decode(encoded, rules)

    monkeypatch.setattr(read, "decode", counted)
    fit(tmp_path, effort="quick", size=64, coreset=20, memory=memory, progress=False)
    assert len(decoded) == 4 * times
