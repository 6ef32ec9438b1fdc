"""From what was measured to what was chosen, with a recipe for `fit`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from blemish.arrays import Doubles, Ints
from blemish.errors import OptionError
from blemish.options.recipe import as_toml
from blemish.options.settings import Settings
from blemish.tuning.defects import CONTRASTS, KINDS, SIZES
from blemish.tuning.grid import Candidate
from blemish.tuning.measure import Job, MeasuredLook
from blemish.tuning.rank import (
    Scored,
    by_group,
    choose,
    cross_validated,
    found_share,
    interval,
    made_evidence,
    real_evidence,
    scored,
)

__all__ = ["Asked", "Measured", "Tuned", "outcome"]


@dataclass(frozen=True)
class Asked:
    """What tune was asked for."""

    settings: Settings
    """The options of `fit`, without looks."""
    resources: Mapping[str, Any]
    """Those of the machine's resources that were given."""
    inspect: Mapping[str, Any]
    """The options of `inspect` in the recipe that was given."""
    budget: float | None
    """Milliseconds that an image may take."""


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


def outcome(
    asked: Asked,
    candidates: Sequence[Candidate],
    looks: Mapping[str, MeasuredLook],
    costs: Sequence[float],
    job: Job,
    part_R: Ints,
) -> Tuned:
    """Rank all candidates, the default first among them, and choose among those within the budget."""
    allowed = _allowed(costs, asked.budget)
    rate = max(asked.settings.false_rejects, 1 / (len(job.good) + 1))
    scores = [scored(candidate, looks) for candidate in candidates]
    real, made = real_evidence(scores, part_R, rate), made_evidence(scores, [d.cell for d in job.drawings], rate)
    evidence: Literal["real", "made"] = "real" if real.shape[1] else "made"
    values_CE = real if evidence == "real" else made
    chosen = choose(values_CE, evidence, allowed)
    found_CE = np.array([by_group(found_share(each.good_N, each.real_R, rate), part_R) for each in scores])
    measured = [
        _measured(candidate, cost, each, found_E, values_E, job, rate, asked.settings.seed)
        for candidate, cost, each, found_E, values_E in zip(candidates, costs, scores, found_CE, values_CE, strict=True)
    ]
    return Tuned(
        measured=sorted(measured, key=lambda each: -each.standing),
        chosen=candidates[chosen],
        default=candidates[0],
        evidence=evidence,
        found_by_choice=cross_validated(real, found_CE, allowed) if real.shape[1] > 1 else None,
        rate=rate,
        good=len(job.good),
        defective=len(job.defective) or len(job.drawings),
        settings=asked.settings,
        resources=asked.resources,
        inspect=asked.inspect,
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
