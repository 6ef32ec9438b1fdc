"""What tune looks at: some of the good images, the defective ones or those it makes, and the grid of looks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from blemish.arrays import Ints
from blemish.calibration.held_out import divide
from blemish.errors import DataError, OptionError
from blemish.fitting import check_varied, readable
from blemish.images.glance import Glance
from blemish.images.parts import glance_over, joined_parts, named_parts
from blemish.images.probe import ImageKind
from blemish.images.read import Source
from blemish.images.rules import Rules
from blemish.images.sources import Images, list_sources
from blemish.methods.good_images import GoodImages
from blemish.methods.prepare import good_images
from blemish.options.settings import Resources, Settings
from blemish.system.progress import Progress
from blemish.system.stream import available_threads
from blemish.tuning.defects import drawings
from blemish.tuning.grid import Candidate, candidates_of, default_of, looks_of
from blemish.tuning.measure import Job

__all__ = ["SomeGood", "prepared", "spread", "spread_good"]

GOOD, DEFECTIVE, MADE = 200, 400, 90
"""So many good and defective images are measured at most, evenly spread, and so many defects made."""
FEWEST = 10
"""Good images; with fewer no rate of false rejects can be told."""
FOLDS = 10


def prepared(
    good: Images,
    defective: Images | None,
    groups: Sequence[str] | None,
    defective_groups: Sequence[str] | None,
    settings: Settings,
    resources: Resources,
    progress: Progress,
) -> tuple[list[Candidate], Job, Ints]:
    """The grid, the default first; all that is to be looked at; the part of each defective image. Raises as `tune`."""
    sources, parts = spread_good(good, groups, GOOD)
    if len(sources) < FEWEST:
        raise DataError(f"{len(sources)} good images are too few to tell looks apart; give {FEWEST} or more.")
    chosen = SomeGood.glanced(sources, parts, settings, resources, progress, stated=groups is not None)
    fold_N = divide(chosen.parts, FOLDS, settings.seed)
    candidates = candidates_of(default_of(settings, chosen.kinds))
    seen = _good_images(chosen, settings.with_looks(looks_of(candidates)), resources, progress)
    some, part_R = _some_defective(defective, defective_groups)
    _check_apart(some, chosen, seen.threads, progress)
    drawn = drawings(seen.part_N, MADE, settings.seed)
    return candidates, Job(seen, fold_N, drawn, some), part_R


@dataclass(frozen=True)
class SomeGood:
    """Some of the good images, as they are known before they are sized."""

    sources: Sequence[Source]
    parts: Sequence[str]
    """The name of the part that each shows."""
    glances: Sequence[Glance]
    rules: Rules
    """How they are read."""

    @classmethod
    def glanced(
        cls,
        sources: Sequence[Source],
        names: Sequence[str],
        settings: Settings,
        resources: Resources,
        progress: Progress,
        *,
        stated: bool,
    ) -> "SomeGood":
        """Each looked at once; those that show one part are known as such, unless the user `stated` the parts' names.

        Raises ImageError for one that cannot be read, DataError where all are one and the same.
        """
        threads, damaged = resources.threads or available_threads(), resources.accept_damaged
        rules = Rules.of(accept_damaged=damaged, max_pixels=resources.max_pixels, nodata=settings.nodata)
        glances = readable(glance_over(sources, rules, threads=threads, progress=progress))
        check_varied(glances)
        return cls(sources, joined_parts(glances, names, stated=stated, threads=threads), glances, rules)

    @property
    def kinds(self) -> list[ImageKind]:
        return [glance.kind for glance in self.glances]

    def sized_by(self, settings: Settings, resources: Resources, progress: Progress) -> GoodImages:
        """As a fit with these settings looks at them."""
        own = partial(good_images, self.sources, self.kinds, settings, resources, progress)
        return own(size_asked=False, groups=self.parts, rules=self.rules)


def spread_good(good: Images, groups: Sequence[str] | None, most: int) -> tuple[list[Source], list[str]]:
    """At most so many of the good images, evenly spread, and the name of the part that each shows."""
    sources = list_sources(good)
    parts = named_parts(sources, groups)
    chosen = spread(len(sources), most)
    return [sources[number] for number in chosen], [parts[number] for number in chosen]


def _some_defective(defective: Images | None, groups: Sequence[str] | None) -> tuple[list[Source], Ints]:
    """The defective images that are looked at, and the number of the part that each of them shows."""
    if defective is None:
        return [], np.zeros(0, np.int64)
    listed = list_sources(defective)
    if not listed:
        raise DataError("No defective images were given; give some, or leave defective out.")
    parts = named_parts(listed, groups)
    chosen = spread(len(listed), DEFECTIVE)
    numbered = np.unique([parts[number] for number in chosen], return_inverse=True)[1]
    return [listed[number] for number in chosen], numbered


def _check_apart(some: Sequence[Source], good: SomeGood, threads: int, progress: Progress) -> None:
    """Whether the defective images can be read and are none of the good ones, before anything is measured."""
    seen = readable(glance_over(some, good.rules, threads=threads, progress=progress))
    name_of = {each.digest: each.name for each in good.glances}
    if both := [each for each in seen if each.digest in name_of]:
        raise DataError(
            f"{len(both)} of the {len(some)} defective images are among the good ones too, such as {both[0].name} (as "
            f"{name_of[both[0].digest]}); leave each out of one of them."
        )


def _good_images(chosen: SomeGood, settings: Settings, resources: Resources, progress: Progress) -> GoodImages:
    good = chosen.sized_by(settings, resources, progress)
    if good.backbone is not None and good.backbone.manifest.size is not None:
        raise OptionError(f"The network {good.backbone.manifest.name} takes one size only; give tune another backbone.")
    return good


def spread(count: int, most: int) -> list[int]:
    """Numbers of at most so many images, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist() if count else []
