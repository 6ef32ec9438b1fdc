"""Golden pictures: each version must judge them as expected before it goes on line."""

from dataclasses import dataclass

from blemish.detector import Detector
from blemish.errors import ImageError
from blemish.service.store.store import Store
from blemish.service.store.training import Golden, list_golden

__all__ = ["GoldenAnswer", "judged_rightly", "run_golden"]


def judged_rightly(expected: str, verdict: str) -> bool:
    """A good part must not be rejected, and a bad one not let through; REVIEW does neither."""
    wrong = {"OK": {"NG", "ERROR"}, "NG": {"OK", "ERROR"}}
    return verdict not in wrong[expected]


@dataclass(frozen=True)
class GoldenAnswer:
    """What a version says of a golden picture."""

    golden: Golden
    verdict: str
    score: float | None
    error: str | None

    @property
    def right(self) -> bool:
        """Whether that is no mistake."""
        return judged_rightly(self.golden.expected, self.verdict)


def run_golden(store: Store, recipe: str, detector: Detector) -> list[GoldenAnswer]:
    """Let a detector judge the golden pictures of a recipe."""
    return [_answer(store, golden, detector) for golden in list_golden(store.read, recipe)]


def _answer(store: Store, golden: Golden, detector: Detector) -> GoldenAnswer:
    data = store.pictures.get(golden.sha256, golden.suffix)
    if data is None:
        return GoldenAnswer(golden, "ERROR", None, f"The file of {golden.name} is missing.")
    try:
        result = detector.inspect((golden.name, data))
    except ImageError as error:
        return GoldenAnswer(golden, "ERROR", None, str(error))
    return GoldenAnswer(golden, str(result.verdict), result.score, None)
