"""Tune: measure a grid of looks on good images, and on defects that are at hand or made, and choose."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from blemish.arrays import Doubles, Ints
from blemish.calibration.held_out import divide
from blemish.errors import DataError, OptionError
from blemish.fitting import check_varied, readable
from blemish.images.glance import Glance
from blemish.images.parts import glance_over, joined_parts, named_parts
from blemish.images.probe import ImageKind
from blemish.images.read import Source, read_image
from blemish.images.rules import Rules
from blemish.images.sources import Images, list_sources
from blemish.methods.good_images import GoodImages
from blemish.methods.prepare import good_images
from blemish.options.given import FitOptions
from blemish.options.recipe import as_toml, over_recipe, read_recipe
from blemish.options.settings import Resources, Settings, divide_options
from blemish.system.progress import Progress, Shown, shown
from blemish.system.stream import available_threads
from blemish.tuning.defects import CONTRASTS, KINDS, SIZES, drawings
from blemish.tuning.grid import Candidate, candidates_of, default_of, families_of, looks_of
from blemish.tuning.measure import TIMED, Job, MeasuredLook, measure
from blemish.tuning.rank import Scored, choose, cross_validated, found_share, interval, scored, separation
from blemish.tuning.state import Progressed, key_of

__all__ = ["Measured", "Tuned", "tune"]

GOOD, DEFECTIVE, MADE = 200, 400, 90
"""So many good good and defective images are measured at most, evenly spread, and so many defects made."""
FEWEST = 10
"""Good images; with fewer no rate of false rejects can be told."""
FOLDS = 10


@dataclass(frozen=True)
class Measured:
    """One candidate, and what it finds at the promised rate of false rejects (shares of 1)."""

    candidate: Candidate
    ms: float
    """Milliseconds an image, read and scored alone on all threads of this machine."""
    found: float | None
    """Of the defective parts that were given, each counting once; None where there are none."""
    found_interval: tuple[float, float] | None
    """Where that share lies with 95 % confidence."""
    made: float
    """Of the made defects."""
    made_by: Mapping[str, float]
    """The same by kind, by size and by contrast."""
    standing: float
    """What candidates are ranked by (rank.py): how well defects stand out, from 0 to 1."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        fields = {
            name: getattr(self, name) for name in ("ms", "found", "found_interval", "made", "made_by", "standing")
        }
        return {"looks": list(self.candidate.looks), "join": self.candidate.join, **fields}


@dataclass(frozen=True)
class Tuned:
    """What was measured, the best first, and what was chosen."""

    measured: Sequence[Measured]
    """Every candidate that was measured, the best first."""
    chosen: Candidate
    """The looks that were chosen, and how they join."""
    default: Candidate
    """What `fit` would take by itself."""
    evidence: str
    """real or made: what the choice rests on."""
    found_by_choice: float | None
    """The share of defective parts found by what was chosen without each of them; None without two such parts."""
    rate: float
    """The share of good images that may be rejected by mistake at the threshold that was used."""
    good: int
    """How many good images were measured on."""
    defective: int
    """How many defective ones: those given, or those made."""
    settings: Settings
    """The options that were asked for, without looks."""
    resources: Mapping[str, Any]
    """What the recipe keeps of the machine's resources."""
    inspect: Mapping[str, Any]
    """What it keeps of the options of `inspect`: those of the recipe that was given."""
    over_budget: int
    """How many candidates take longer than the budget, and so cannot be chosen."""

    def __repr__(self) -> str:
        return f"Tuned({self.chosen}, the best of {len(self.measured)} by {self.evidence} defects)"

    def recipe(self) -> str:
        """The chosen options as a recipe that `fit` takes."""
        settings = self.settings.with_looks(self.chosen.looks).model_copy(update={"join": self.chosen.join})
        said = "the defects given" if self.evidence == "real" else "made defects"
        return f"# Chosen by blemish tune on {said}; see docs/tuning.md for how far that can be trusted.\n" + as_toml(
            settings, self.resources, self.inspect
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        numbers = ("evidence", "found_by_choice", "rate", "good", "defective", "over_budget")
        return {
            "chosen": {"looks": list(self.chosen.looks), "join": self.chosen.join},
            "default": {"looks": list(self.default.looks), "join": self.default.join},
            **{name: getattr(self, name) for name in numbers},
            "measured": [each.to_dict() for each in self.measured],
        }


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
    if budget is not None and not budget > 0:
        raise OptionError(f"A budget of {budget:g} ms cannot be kept; give milliseconds above 0.")
    with shown(progress) as report:
        default, candidates, job = prepared(good, defective, groups, settings, resources, report)
        progressed = Progressed(None if state is None else Path(state), key_of(job))
        families = families_of(looks_of(candidates))
        for number, family in enumerate(families):
            report("looks", number, len(families))
            if not progressed.has(family):
                progressed.add(measure(job, family))
        report("looks", len(families), len(families))
        costs = _costs(candidates, progressed.looks, _reading_ms(job.good))
    part_R = _parts(named_parts(job.defective, _kept(defective_groups, defective)))
    own = {name: value for name, value in dict(resources).items() if name in given}
    kept = {} if recipe is None else read_recipe(recipe).inspect
    tuned = _tuned(candidates, progressed.looks, costs, job, part_R, budget, settings, own, kept, default)
    progressed.forget()
    return tuned


def prepared(
    good: Images,
    defective: Images | None,
    groups: Sequence[str] | None,
    settings: Settings,
    resources: Resources,
    progress: Progress,
) -> tuple[Candidate, list[Candidate], Job]:
    """The default, the grid, and all that is to be looked at. Raises as `tune`."""
    sources = list_sources(good)
    parts = named_parts(sources, groups)
    chosen = _spread(len(sources), GOOD)
    sources, parts = [sources[number] for number in chosen], [parts[number] for number in chosen]
    if len(sources) < FEWEST:
        raise DataError(f"{len(sources)} good images are too few to tell looks apart; give {FEWEST} or more.")
    rules = Rules.of(accept_damaged=resources.accept_damaged, max_pixels=resources.max_pixels, nodata=settings.nodata)
    threads = resources.threads or available_threads()
    glances = readable(glance_over(sources, rules, threads=threads, progress=progress))
    check_varied(glances)
    parts = joined_parts(glances, parts, stated=groups is not None, threads=threads)
    fold_N = divide(parts, FOLDS, settings.seed)
    kinds = [glance.kind for glance in glances]
    default = default_of(settings, kinds)
    candidates = candidates_of(default)
    seen = _good_images(sources, kinds, parts, settings.with_looks(looks_of(candidates)), resources, rules, progress)
    some = _some_defective(defective, glances, rules, threads, progress)
    drawn = drawings(seen.part_N, MADE, settings.seed)
    return default, candidates, Job(seen, fold_N, drawn, some)


def _some_defective(
    defective: Images | None, good: Sequence[Glance], rules: Rules, threads: int, progress: Progress
) -> list[Source]:
    """The defective images that are looked at. What is wrong with them is told before anything is measured."""
    listed = [] if defective is None else list_sources(defective)
    if defective is not None and not listed:
        raise DataError("No defective images were given; give some, or leave defective out.")
    some = [listed[number] for number in _spread(len(listed), DEFECTIVE)]
    seen = readable(glance_over(some, rules, threads=threads, progress=progress))
    name_of = {each.digest: each.name for each in good}
    if both := [each for each in seen if each.digest in name_of]:
        raise DataError(
            f"{len(both)} of the {len(some)} defective images are among the good ones too, such as {both[0].name} (as "
            f"{name_of[both[0].digest]}); leave each out of one of them."
        )
    return some


def _good_images(
    sources: Sequence[Source],
    kinds: Sequence[ImageKind],
    parts: Sequence[str],
    settings: Settings,
    resources: Resources,
    rules: Rules,
    progress: Progress,
) -> GoodImages:
    good = good_images(sources, kinds, settings, resources, progress, size_asked=False, groups=parts, rules=rules)
    if good.backbone is not None and good.backbone.manifest.size is not None:
        raise OptionError(f"The network {good.backbone.manifest.name} takes one size only; give tune another backbone.")
    return good


def _spread(count: int, most: int) -> list[int]:
    """Numbers of at most so many images, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist() if count else []


def _kept(groups: Sequence[str] | None, defective: Images | None) -> list[str] | None:
    """The groups of the defective images that are looked at."""
    if groups is None or defective is None:
        return None
    checked = named_parts(list_sources(defective), groups)
    return [checked[number] for number in _spread(len(checked), DEFECTIVE)]


def _parts(groups: Sequence[str]) -> Ints:
    """The number of the part of each image."""
    return np.unique(groups, return_inverse=True)[1] if len(groups) else np.zeros(0, np.int64)


def _reading_ms(good: GoodImages) -> float:
    """Milliseconds to read and size an image: the median of a few."""
    times = []
    for number in _spread(len(good), TIMED):
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


def _tuned(
    candidates: Sequence[Candidate],
    looks: Mapping[str, MeasuredLook],
    costs: Sequence[float],
    job: Job,
    part_R: Ints,
    budget: float | None,
    settings: Settings,
    resources: Mapping[str, Any],
    inspect: Mapping[str, Any],
    default: Candidate,
) -> Tuned:
    """Rank all candidates and choose among those within the budget."""
    allowed = _allowed(costs, budget)
    rate = max(settings.false_rejects, 1 / (len(job.good) + 1))
    scores = [scored(candidate, looks) for candidate in candidates]
    real, made = real_evidence(scores, part_R, rate), made_evidence(scores, [d.cell for d in job.drawings], rate)
    values_CE = real if real.shape[1] else made
    evidence = "real" if real.shape[1] else "made"
    chosen = choose(values_CE, "real" if real.shape[1] else "made", allowed)
    found_CE = np.array([by_group(found_share(each.good_N, each.real_R, rate), part_R) for each in scores])
    measured = [
        _measured(candidate, cost, each, found_E, values_E, job, rate, settings.seed)
        for candidate, cost, each, found_E, values_E in zip(candidates, costs, scores, found_CE, values_CE, strict=True)
    ]
    return Tuned(
        measured=sorted(measured, key=lambda each: -each.standing),
        chosen=candidates[chosen],
        default=default,
        evidence=evidence,
        found_by_choice=cross_validated(real, found_CE, allowed) if real.shape[1] > 1 else None,
        rate=rate,
        good=len(job.good),
        defective=len(job.defective) or len(job.drawings),
        settings=settings,
        resources=resources,
        inspect=inspect,
        over_budget=allowed.count(False),
    )


def _allowed(costs: Sequence[float], budget: float | None) -> list[bool]:
    """Which candidates keep to the budget. Raises OptionError where none does."""
    allowed = [budget is None or cost <= budget for cost in costs]
    if not any(allowed):
        raise OptionError(
            f"No looks keep to {budget:g} ms an image: the fastest take {min(costs):.0f} ms here; give a larger budget."
        )
    return allowed


def real_evidence(scores: Sequence[Scored], part_R: Ints, rate: float) -> Doubles:
    """How well each defective part stands out, by each candidate (candidates x parts)."""
    return np.array([by_group(separation(each.good_N, each.real_R, rate), part_R) for each in scores])


def made_evidence(scores: Sequence[Scored], cells: Sequence[str], rate: float) -> Doubles:
    """How well made defects of each kind, size and contrast stand out (candidates x cells)."""
    _, cell_M = np.unique(cells, return_inverse=True)
    return np.array([by_group(separation(each.good_N, each.made_M, rate), cell_M) for each in scores])


def by_group(values: Doubles, group: Ints) -> Doubles:
    """The mean of each group."""
    return np.asarray(np.bincount(group, values) / np.maximum(np.bincount(group), 1))


def _measured(
    candidate: Candidate,
    cost: float,
    scores: Scored,
    found_E: Doubles,
    values_E: Doubles,
    job: Job,
    rate: float,
    seed: int,
) -> Measured:
    made_M = found_share(scores.good_N, scores.made_M, rate)
    there = {word for drawing in job.drawings for word in (drawing.kind, drawing.size, drawing.contrast)}
    words = [word for word in (*KINDS, *SIZES, *CONTRASTS) if word in there]
    of_word = partial(_found_of_word, job, made_M)
    return Measured(
        candidate=candidate,
        ms=cost,
        found=float(found_E.mean()) if len(found_E) else None,
        found_interval=interval(found_E, seed) if len(found_E) else None,
        made=float(made_M.mean()),
        made_by={word: of_word(word) for word in words},
        standing=float(values_E.mean()),
    )


def _found_of_word(job: Job, made_M: Doubles, word: str) -> float:
    """The share found of the made defects of one kind, size or contrast."""
    own_M = [word in (drawing.kind, drawing.size, drawing.contrast) for drawing in job.drawings]
    return float(made_M[own_M].mean())
