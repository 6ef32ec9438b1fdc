"""Inspect on eight threads while the model in service is replaced; every result must be that of the version it names.

PYTHONPATH=tests:benchmarks python tests/campaigns/threads.py --keep
"""

import argparse
import hashlib
import pickle
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from parts import good_part, scratched_part

from blemish.arrays import Bytes
from blemish.calibrating import calibrate
from blemish.detector import Detector, load
from blemish.fitting import fit
from blemish.result import Result

__all__ = ["Outcome", "inspect_beside_changes"]

THREADS = 8
SIDE = 48
"""Height and width of the images, in pixels."""
GOOD = 8
KNOWN_TURNS = 1_000_000
"""Seeds of images that are added lie beyond it, one for each turn."""


@dataclass
class Outcome:
    """What became of the inspections."""

    replaced: Counter[str] = field(default_factory=Counter)
    """Models put into service, by how they came about."""
    answers: dict[tuple[str, int], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How often each answer came, by the version that the result names and the number of the image."""
    errors: list[str] = field(default_factory=list)
    wrong: int = 0
    """Results that differ from a serial one of the version they name."""

    @property
    def inspections(self) -> int:
        return sum(sum(answers.values()) for answers in self.answers.values())


class Service:
    """The detector in service, which any thread may replace, and all that ever were, by version."""

    def __init__(self, detector: Detector, folder: Path) -> None:
        self.versions = {detector.model.version: detector}
        self.current = detector
        self.files: list[Path] = []
        for number, each in enumerate([detector, detector.add([_image(900)]), calibrate(detector, false_rejects=0.2)]):
            self.files.append(folder / f"{number}.blemish")
            each.save(self.files[-1])

    def replace(self, turn: int, seed: int) -> str:
        """Put another model into service; tells how it came about."""
        random = np.random.default_rng([seed, turn])
        before = self.current
        ways: dict[str, Callable[[], Detector]] = {
            "load": lambda: load(self.files[random.integers(len(self.files))], threads=1),
            "add": lambda: before.add([_image(KNOWN_TURNS + turn)]),
            "remove": lambda: before.remove([int(random.integers(len(before.model.manifest.images)))]),
            "calibrate": lambda: calibrate(before, false_rejects=float(random.uniform(0.05, 0.4))),
            "undo": before.undo,
        }
        if not before.journal:
            del ways["undo"]
        if len(before.model.manifest.images) <= GOOD // 2:
            del ways["remove"]
        way = str(random.choice(list(ways)))
        after = ways[way]()
        self.versions.setdefault(after.model.version, after)
        self.current = after
        return way


def inspect_beside_changes(folder: Path, inspections: int, replacements: int, seed: int) -> Outcome:
    """Inspect so many times on eight threads, and replace the model so many times in between."""
    options: dict[str, Any] = {"size": SIDE, "coreset": 40, "threads": 1, "seed": seed}
    service = Service(fit([_image(number) for number in range(GOOD)], progress=False, **options), folder)
    images = [_image(1), _image(100), _image(101), np.asarray(scratched_part(102).grey[:SIDE, -SIDE:])]
    outcome = Outcome()
    every = inspections // replacements

    def turn(number: int) -> tuple[str | None, str, int, str]:
        way = service.replace(number, seed) if number % every == 0 else None
        image = number % len(images)
        result = service.current.inspect(images[image])
        return way, result.model, image, _digest(result)

    def turn_or_error(number: int) -> tuple[str | None, str, int, str] | str:
        try:
            return turn(number)
        except Exception as error:
            return f"turn {number}: {error!r}"

    with ThreadPoolExecutor(THREADS) as pool:
        for answer in pool.map(turn_or_error, range(inspections)):
            if isinstance(answer, str):
                outcome.errors.append(answer)
                continue
            way, version, image, digest = answer
            outcome.replaced.update([way] if way else [])
            outcome.answers[version, image][digest] += 1
    outcome.wrong = _wrong(outcome, service, images)
    return outcome


def _wrong(outcome: Outcome, service: Service, images: list[Bytes]) -> int:
    """How many results differ from those of each version alone, read anew from the bytes of its model file."""
    wrong = 0
    for version in sorted({version for version, _ in outcome.answers}):
        alone = pickle.loads(pickle.dumps(service.versions[version])) if version in service.versions else None
        for number, image in enumerate(images):
            answers = outcome.answers.get((version, number), Counter())
            right = answers[_digest(alone.inspect(image))] if alone and answers else 0
            wrong += sum(answers.values()) - right
    return wrong


def _image(seed: int) -> Bytes:
    return good_part(seed, SIDE, SIDE)


def _digest(result: Result) -> str:
    """All that a result says, but for the seconds it took."""
    assert result.anomaly_map is not None
    assert result.mask is not None
    said = (result.score, result.threshold, result.verdict, result.percentile, result.nearest, result.regions)
    digest = hashlib.sha256(repr(said).encode())
    digest.update(result.anomaly_map.tobytes())
    digest.update(result.mask.tobytes())
    return digest.hexdigest()


def campaign(inspections: int, replacements: int, seed: int) -> str:
    """As Markdown."""
    from machine import markdown_table

    with tempfile.TemporaryDirectory() as folder:
        found = inspect_beside_changes(Path(folder), inspections, replacements, seed)
    header = ("threads", "inspections", "models put into service", "versions named by results", "errors", "wrong")
    versions = len({version for version, _ in found.answers})
    counts = (THREADS, found.inspections, sum(found.replaced.values()), versions, len(found.errors), found.wrong)
    ways = markdown_table(
        ("how it came about", "models"), [(way, f"{n:,}") for way, n in sorted(found.replaced.items())]
    )
    return (
        f"Inspections of images of {SIDE} x {SIDE} pixels, while any of the threads replaces the model that all use. "
        "An inspection is wrong where score, thresholds, verdict, regions, nearest good image, map or mask differ in "
        "any bit from those of the version it names, which is read anew from its bytes and asked alone.\n\n"
        f"{markdown_table(header, [tuple(f'{count:,}' for count in counts)])}\n\n{ways}"
        + "".join(f"\n- {error}" for error in found.errors[:20])
    )


if __name__ == "__main__":
    from machine import publish

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inspections", type=int, default=100_000)
    parser.add_argument("--replacements", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write the result to tests/campaigns/results/")
    given = parser.parse_args()
    body = campaign(given.inspections, given.replacements, given.seed)
    publish("threads", body, seed=given.seed, keep=given.keep, results=Path(__file__).parent / "results")
