"""A version judges past parts and golden pictures again, in the child process of a job: which verdicts would be others.

Past parts are compared with what was said of them, or with what another version says of them now; golden pictures with
what the version on line, or that other one, says of them now.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from blemish.detector import Detector, load
from blemish.errors import BlemishError
from blemish.result import Verdict, finite
from blemish.service.work.golden import judged_rightly
from blemish.system.progress import Progress

__all__ = ["preview"]

Said: TypeAlias = tuple[str, float | None]
"""A verdict and its score."""


def preview(order: Mapping[str, Any], report: Progress) -> dict[str, Any]:
    """What a version says of past parts and golden pictures, beside what was said or another version says.

    Raises BlemishError where a version that was asked for cannot be read.
    """
    past, golden, against = order["past"], order["golden"], order["against"]
    new = load(order["parent"], max_pixels=order["max_pixels"])
    old = _old(order)
    both = against is not None and old is not None
    seen = _Counted(report, len(past) * (2 if both else 1) + len(golden) * (2 if old else 1))
    says = _judged(new, past, seen)
    said = _judged(old, past, seen) if both and old else [(each["verdict"], each["score"]) for each in past]
    compared = [
        _plain(each) | _pair(before, after)
        for each, before, after in zip(past, said, says, strict=True)
        if before and after
    ]
    changes = [each for each in compared if each["verdict"] != each["new_verdict"]]
    return {
        "against": against,
        "judged": len(compared),
        "errors": sum(each["new_verdict"] == Verdict.ERROR for each in changes),
        "threshold": new.threshold,
        "old_threshold": old and old.threshold,
        "agreement": _agreement(compared),
        "changes": changes,
        "golden": _golden(golden, _judged(old, golden, seen) if old else None, _judged(new, golden, seen)),
    }


def _old(order: Mapping[str, Any]) -> Detector | None:
    """The version to compare with. The one on line may not load: then this preview may be of its repair."""
    if order["old"] is None:
        return None
    try:
        return load(order["old"], max_pixels=order["max_pixels"])
    except (BlemishError, OSError):
        if order["against"] is not None:
            raise
        return None


class _Counted:
    """Reports each picture that was judged."""

    def __init__(self, report: Progress, total: int) -> None:
        self._report, self._done, self._total = report, 0, total

    def one(self) -> None:
        self._done += 1
        self._report("preview", self._done, self._total)


def _judged(detector: Detector, pictures: Sequence[Mapping[str, Any]], seen: _Counted) -> list[Said | None]:
    """What a detector says of each picture; None where its file went meanwhile."""
    return list(_each(detector, [each["file"] for each in pictures], seen.one)) if pictures else []


def _each(detector: Detector, files: Sequence[str], done: Callable[[], None]) -> Iterator[Said | None]:
    for file, result in zip(files, detector.inspect_many(files), strict=True):
        gone = result.error is not None and not Path(file).exists()
        yield None if gone else (str(result.verdict), finite(result.score))
        done()


def _plain(picture: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of a picture: never where its file lies."""
    return {name: value for name, value in picture.items() if name != "file"}


def _pair(before: Said | tuple[None, None], after: Said) -> dict[str, Any]:
    return {"verdict": before[0], "score": before[1], "new_verdict": after[0], "new_score": after[1]}


def _agreement(compared: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How many parts had which verdict, and have which now."""
    counts = Counter((each["verdict"], each["new_verdict"]) for each in compared)
    return [{"verdict": old, "new_verdict": new, "count": count} for (old, new), count in sorted(counts.items())]


def _golden(
    golden: Sequence[Mapping[str, Any]], before: Sequence[Said | None] | None, after: Sequence[Said | None]
) -> list[dict[str, Any]]:
    """Golden pictures with old and new verdict; one whose file is missing is judged wrongly, as on promotion."""
    missing: Said = (str(Verdict.ERROR), None)
    unknown = [(None, None)] * len(golden) if before is None else before
    told = []
    for picture, old, new in zip(golden, unknown, after, strict=True):
        pair = _pair(old or missing, new or missing)
        told.append(_plain(picture) | pair | {"right": judged_rightly(picture["expected"], pair["new_verdict"])})
    return told
