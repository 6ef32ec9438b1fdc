"""What teaching a model some images would do: which of them look defective, and which defects would pass."""

from collections.abc import Sequence
from dataclasses import dataclass

from blemish.calibration.suspects import odd_from
from blemish.detector import Detector
from blemish.images.read import Source
from blemish.result import Result, Verdict

__all__ = ["Consequences", "consequences"]

LOOKS_DEFECTIVE = 1.5
"""A good part that is rejected by mistake scores a little above the threshold; from this multiple on it is doubted.
Where the score is no distance, it is doubted from where a good image of the model would be a suspect."""


@dataclass(frozen=True)
class Consequences:
    """What a change of the memory does."""

    suspicious: list[Result]
    """Of the images to add, those that look defective, as the model before judges them."""
    flips: list[tuple[Result, Result]]
    """Of the known defective images, those that were found and would be OK: their results before and after."""
    threshold: tuple[float, float]
    """Before and after."""

    @property
    def doubtful(self) -> bool:
        """Whether somebody should be asked first."""
        return bool(self.suspicious or self.flips)

    def lines(self) -> list[str]:
        """For people, a line each."""
        return [
            f"threshold {self.threshold[0]:.4g} -> {self.threshold[1]:.4g}",
            *(f"looks defective: {each.path} ({each.score_in_words})" for each in self.suspicious),
            *(
                f"would be OK: {before.path}, which is {before.verdict} now "
                f"({before.score_in_words}; then {after.score_in_words})"
                for before, after in self.flips
            ),
        ]


def consequences(
    before: Detector, after: Detector, added: Sequence[Source], defective: Sequence[Source] = ()
) -> Consequences:
    """What `after`, which knows the images `added`, does other than `before`, also to images known to be defective."""
    odd = max(before.threshold, odd_from(before.model.held_out.scores_M))
    suspicious = [
        result
        for result in before.inspect_many(added)
        if result.score > (LOOKS_DEFECTIVE * before.threshold if result.is_distance else odd)
    ]
    pairs = zip(before.inspect_many(defective), after.inspect_many(defective), strict=True) if defective else ()
    flips = [
        (was, now) for was, now in pairs if now.verdict is Verdict.OK and was.verdict in (Verdict.NG, Verdict.REVIEW)
    ]
    return Consequences(suspicious, flips, (before.threshold, after.threshold))
