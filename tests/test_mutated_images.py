"""The short form of tests/campaigns/mutated_images.py: damaged files are errors, sound ones are read."""

import pytest
from campaigns.damage import DAMAGES, damage
from campaigns.mutated_images import intact_refused, mutated
from campaigns.oracles import missing_programs, refusal
from campaigns.seeds import seeds

from blemish.images.encoded import Encoded


def test_nothing_is_read_that_a_decoder_outside_refuses() -> None:
    if missing := missing_programs():
        pytest.skip(f"needs {', '.join(missing)} (packages libjpeg-turbo-progs, pngcheck, libvips-tools)")
    outcome = mutated(copies=1, seed=1, only=150)
    assert not outcome.wrongly_read
    assert not outcome.crashed
    assert sum(outcome.counts.values()) == 150


def test_whatever_is_damaged_gives_an_image_or_an_image_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.mutated_images.refusal", lambda data, format: None)
    outcome = mutated(copies=1, seed=2)
    assert not outcome.crashed
    assert outcome.counts["error"] > outcome.counts["read"]


def test_sound_files_are_read() -> None:
    tried, refused = intact_refused(pictures=2)
    assert tried == 82
    assert not refused


@pytest.mark.parametrize("name", [name for name in seeds() if not name.startswith(("BMP", "P", "JPEG"))])
def test_the_oracles_accept_sound_files(name: str) -> None:
    if missing := missing_programs():
        pytest.skip(f"needs {', '.join(missing)} (packages libjpeg-turbo-progs, pngcheck, libvips-tools)")
    data = seeds()[name]
    assert refusal(data, Encoded(name, data).format) is None


def test_damage_is_the_same_at_every_call() -> None:
    data = seeds()["PGM"]
    for kind in DAMAGES:
        assert damage(data, kind, 0, 3) == damage(data, kind, 0, 3)
    assert len(DAMAGES) == 18
    assert len(seeds()) == 41
