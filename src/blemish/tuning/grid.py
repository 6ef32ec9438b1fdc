"""What is tried: single looks at one or two sizes, and some of their joins."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from blemish.errors import OptionError
from blemish.images.probe import ImageKind
from blemish.images.sizing import looks_of_effort
from blemish.options.looks import LookOption
from blemish.options.settings import Settings

__all__ = ["Candidate", "candidates_of", "check_free", "default_of", "families_of", "looks_of"]

Rule = Literal["soft", "largest", "mean"]

SINGLES = ("2+3", "2+3:even", "3+4:even")
"""The levels that are looked at, at each size."""
JOINS = (
    ("L2+3", "S2+3:even", "S3+4:even"),
    ("L2+3", "L2+3:even", "L3+4:even", "S2+3:even", "S3+4:even"),
    ("L2+3", "L2+3:even", "S2+3:even", "S3+4:even"),
    ("L2+3", "S2+3"),
    ("L2+3", "L3+4:even"),
    ("S2+3", "S2+3:even", "S3+4:even"),
    ("L2+3", "L2+3:even", "L3+4:even", "S2+3", "S2+3:even", "S3+4:even"),
)
"""Looks that are joined: L at the large size, S at half of it; the first is what effort standard takes."""
RULES: tuple[Rule, ...] = ("mean", "soft")


@dataclass(frozen=True)
class Candidate:
    """Looks, and how they join; for a single look the rule says nothing."""

    looks: tuple[str, ...]
    join: Rule = "mean"

    def __str__(self) -> str:
        return self.looks[0] if len(self.looks) == 1 else f"{' '.join(self.looks)} ({self.join})"


def check_free(settings: Settings, command: str) -> None:
    """Raise OptionError for options that describe looks, which this command chooses."""
    for name in ("size", "taps", "tiles", "looks", "image_score", "tile_banks"):
        if name in settings.asked():
            raise OptionError(f"Option {name} cannot be used with {command}, which chooses the looks; leave it out.")
    if settings.method != "patchcore" or settings.preset != "default":
        raise OptionError(
            f"Looks are chosen for the method patchcore with the preset default, not for {settings.method} with "
            f"{settings.preset}; leave method and preset out."
        )


def default_of(settings: Settings, kinds: Sequence[ImageKind]) -> Candidate:
    """What `fit` would take for these images at the effort standard."""
    standard = settings.model_copy(update={"effort": "standard"})
    return Candidate(tuple(looks_of_effort(standard, kinds)), settings.join)


def candidates_of(default: Candidate) -> list[Candidate]:
    """The grid, the default first; the sizes are those of the default's looks."""
    large = max(LookOption.parse(look).side for look in default.looks)
    sides = {"L": large, "S": large // 2}
    singles = [Candidate((f"{side}:{levels}",)) for side, levels in product(sides.values(), SINGLES)]
    written = [tuple(f"{sides[look[0]]}:{look[1:]}" for look in join) for join in JOINS]
    joins = [Candidate(looks, rule) for looks, rule in product(written, RULES)]
    return list(dict.fromkeys([default, *singles, *joins]))


def looks_of(candidates: Sequence[Candidate]) -> list[str]:
    """Each look that any candidate takes, once."""
    return list(dict.fromkeys(look for candidate in candidates for look in candidate.looks))


def families_of(looks: Sequence[str]) -> list[list[str]]:
    """The looks that share network, size and brightness: one run of the network shows an image to all of a family."""
    families: dict[tuple[str, int, bool], list[str]] = {}
    for look in looks:
        option = LookOption.parse(look)
        families.setdefault((option.network, option.side, option.even), []).append(look)
    return list(families.values())
