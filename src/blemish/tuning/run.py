"""Tune: measure a grid of looks on good images, and on defects that are at hand or made, and choose."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np

from blemish.errors import OptionError
from blemish.images.read import read_image
from blemish.images.sources import Images
from blemish.methods.good_images import GoodImages
from blemish.options.given import FitOptions
from blemish.options.recipe import beside_settings, over_recipe
from blemish.options.settings import divide_options
from blemish.system.progress import Shown, shown
from blemish.tuning.grid import Candidate, check_free, families_of, looks_of
from blemish.tuning.measure import TIMED, MeasuredLook, measure
from blemish.tuning.outcome import Asked, Tuned, outcome
from blemish.tuning.prepare import prepared, spread
from blemish.tuning.state import Progressed, key_of

__all__ = ["tune"]


def tune(
    good: Images,
    defective: Images | None = None,
    *,
    groups: Sequence[str] | None = None,
    defective_groups: Sequence[str] | None = None,
    budget: float | None = None,
    state: str | os.PathLike[str] | None = None,
    recipe: str | os.PathLike[str] | None = None,
    progress: Shown = None,
    **options: Unpack[FitOptions],
) -> Tuned:
    """Choose the looks that find most on these parts, among those that a model may take.

    With defective images candidates are ranked by how well these stand out from good images that the memory has not
    seen; without, by defects that are drawn into good images (docs/tuning.md says how far that can be trusted).
    The default is left only where that gains more than chance would.

    Args:
        good: Images of good parts, as `fit` takes them; at most 200, evenly spread, are looked at.
        defective: Images of defective parts, a handful or more; at most 400 are looked at.
        groups: The part that each good image shows, as for `fit`.
        defective_groups: The part that each defective image shows; each part counts once.
        budget: Milliseconds that an image may take on this machine, read and scored alone; None: any time.
        state: A file that keeps what is measured so far; the same call goes on from it, and deletes it at its end.
        recipe: A file of options, as for `fit`; `options` win over it.
        progress: As for `fit`.
        **options: Those of `fit`, but for the looks themselves, which are chosen.

    Returns:
        What was measured and chosen; its `recipe()` is a file for `fit`.

    Raises:
        OptionError: An option that tune chooses by itself, another method than patchcore, or a budget that no
            candidate meets.
        DataError: Fewer than 10 good images, or good images of one part only; an image that is given as good and as
            defective; a state that cannot be written.
        ImageError: An image cannot be read, or is of another kind than the others.
    """
    given = over_recipe(recipe, options)
    settings, resources = divide_options(given)
    check_free(settings, "tune")
    if budget is not None and not budget > 0:
        raise OptionError(f"A budget of {budget:g} ms cannot be kept; give milliseconds above 0.")
    with shown(progress) as report:
        candidates, job, part_R = prepared(good, defective, groups, defective_groups, settings, resources, report)
        progressed = Progressed(None if state is None else Path(state), key_of(job))
        families = families_of(looks_of(candidates))
        for number, family in enumerate(families):
            report("looks", number, len(families))
            if not progressed.has(family):
                progressed.add(measure(job, family))
        report("looks", len(families), len(families))
        costs = _costs(candidates, progressed.looks, _reading_ms(job.good))
    asked = Asked(settings, *beside_settings(recipe, given, resources), budget)
    tuned = outcome(asked, candidates, progressed.looks, costs, job, part_R)
    progressed.forget()
    return tuned


def _reading_ms(good: GoodImages) -> float:
    """Milliseconds to read and size an image: the median of a few."""
    times = []
    for number in spread(len(good), TIMED):
        began = time.perf_counter()
        good.viewer(read_image(good.sources[number], rules=good.viewer.rules), "")
        times.append(time.perf_counter() - began)
    return 1000 * float(np.median(times))


def _costs(candidates: Sequence[Candidate], looks: Mapping[str, MeasuredLook], reading_ms: float) -> list[float]:
    """Milliseconds an image of each candidate: reading, each family's network once, each look's search."""

    def cost(candidate: Candidate) -> float:
        networks = sum(looks[family[0]].network_ms for family in families_of(candidate.looks))
        return reading_ms + networks + sum(looks[look].search_ms for look in candidate.looks)

    return [cost(candidate) for candidate in candidates]
