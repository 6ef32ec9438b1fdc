"""One side of before_and_after.py, in a process of its own: does what it reads, a line each: fit, warm_up, inspect, ...

Each time it prints one JSON object: how long that took. It asks only for what every version has, so it must not import
anything from the rooms of the package.
"""

import argparse
import hashlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import blemish


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="as against_anomalib.lay_out makes it")
    parser.add_argument("--effort", help="for a version that knows what that is")
    arguments = parser.parse_args()
    side = Side(arguments.folder, {"effort": arguments.effort} if arguments.effort else {})
    for line in sys.stdin:
        print(json.dumps(timed(getattr(side, line.strip()))), flush=True)


def timed(work: Callable[[], Sequence[Any]]) -> dict[str, Any]:
    """Do it; one hash of its results, seconds on the wall and of the processor, the process's peak memory so far."""
    wall, processor = time.perf_counter(), time.process_time()
    results = work()
    seconds, cpu = time.perf_counter() - wall, time.process_time() - processor
    return {"answer": fingerprint(results), "seconds": seconds, "cpu": cpu, "peak_mb": peak_mb()}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Side:
    """What can be asked for; each gives the results of the images that it inspects."""

    def __init__(self, folder: Path, options: dict[str, str]) -> None:
        self.train = folder / "train"
        self.tests = sorted((folder / "test").iterdir())
        self.learn: Callable[..., Any] = blemish.fit  # named here, since that imports it
        self.options = options
        self.detector: Any = None

    def ready(self) -> list[Any]:
        """Whoever is asked has imported everything."""
        return []

    def fit(self) -> list[Any]:
        """With all other defaults, threshold and saving included."""
        self.detector = self.learn(self.train, **self.options)
        with tempfile.TemporaryDirectory() as scratch:
            self.detector.save(Path(scratch) / "tile.blemish")
        return []

    def warm_up(self) -> list[Any]:
        few = self.tests[:3]
        return [*map(self.detector.inspect, few), *self.detector.inspect_many(few)]

    def inspect(self) -> list[Any]:
        return [self.detector.inspect(image) for image in self.tests]

    def inspect_many(self) -> list[Any]:
        return list(self.detector.inspect_many(self.tests))


def fingerprint(results: Iterable[Any]) -> str:
    """One hash of all scores, thresholds and maps."""
    whole = hashlib.sha256()
    for result in results:
        whole.update(f"{float(result.score)!r} {float(result.threshold)!r}".encode())
        whole.update(result.anomaly_map.tobytes())
    return whole.hexdigest()


if __name__ == "__main__":
    main()
