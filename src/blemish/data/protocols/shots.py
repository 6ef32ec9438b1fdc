"""Few good images: which ones a model sees when their number is limited."""

from collections.abc import Sequence

import numpy as np

from blemish.arrays import Bools
from blemish.errors import OptionError

__all__ = ["SHOTS", "draw_shots", "usable_shots"]

SHOTS = (1, 2, 5, 10, 16, 20, 50)
"""The numbers of images of the PatchCore paper's figure 6, as far as they are known; all images come last."""


def usable_shots(images: int) -> list[int]:
    """The numbers of shots that a set of this size can give; the whole set comes last."""
    return [shots for shots in SHOTS if shots < images] + [images]


def draw_shots(groups: Sequence[str], shots: int, *, seed: int) -> Bools:
    """Which of the images are drawn: groups come in random order, each giving one image a round.

    So `shots` images show as many parts as there are, as somebody who takes pictures of a few good parts would have it.
    With one seed, fewer shots are part of more. Raises OptionError for more shots than images.
    """
    if not 1 <= shots <= len(groups):
        raise OptionError(f"shots={shots} cannot be drawn from {len(groups)} images; give 1 to {len(groups)}.")
    random = np.random.default_rng(seed)
    order = random.permutation(len(groups))
    group_rank = {group: rank for rank, group in enumerate(random.permutation(sorted(set(groups))))}
    drawn_of: dict[str, int] = {}
    turn = []
    for image in order:
        group = groups[image]
        drawn_of[group] = drawn_of.get(group, 0) + 1
        turn.append((drawn_of[group], group_rank[group], int(image)))
    drawn = np.zeros(len(groups), bool)
    drawn[[image for _, _, image in sorted(turn)[:shots]]] = True
    return drawn
