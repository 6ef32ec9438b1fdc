"""The short form of campaigns/promises.py."""

import pytest
from campaigns.promises import SCENARIOS, Draw, draws, most_broken, solar_cell_parts

from blemish.errors import DataError


@pytest.mark.long
def test_promises_hold_however_the_images_come() -> None:
    try:
        parts = solar_cell_parts()
    except DataError as error:
        pytest.skip(str(error))
    found = draws(parts, len(SCENARIOS))
    assert {draw.scenario for draw in found} == set(SCENARIOS)
    promised = [draw for draw in found if draw.promised is not None]
    assert len(promised) == len(SCENARIOS)
    assert all(draw.held == 33 for draw in promised if draw.scenario != "exposures"), "no copy is a part of its own"
    assert sum(draw.broken for draw in promised) <= most_broken(promised)


def test_a_promise_of_the_highest_of_29_scores_looks_broken_as_often_as_reckoned() -> None:
    """By hand: none of 1 unseen part is allowed, and it lies above the highest of 29 with chance 1/30."""
    draw = Draw("copies", 0.1, above=0, held=29, rejected=0, unseen=1, counted=60)
    assert draw.chance == pytest.approx(1 / 30)
