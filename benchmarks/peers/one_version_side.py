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
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import blemish


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="as against_anomalib.lay_out makes it")
    side = Side(parser.parse_args().folder)
    for line in sys.stdin:
        print(json.dumps(timed(getattr(side, line.strip()))), flush=True)


def timed(work: Callable[[], str]) -> dict[str, Any]:
    """Do it; its answer, seconds on the wall and of the processor, and the process's peak memory so far."""
    wall, processor = time.perf_counter(), time.process_time()
    answer = work()
    seconds, cpu = time.perf_counter() - wall, time.process_time() - processor
    return {"answer": answer, "seconds": seconds, "cpu": cpu, "peak_mb": peak_mb()}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Side:
    """What can be asked for; each answers with one hash, the same for versions that do the same."""

    def __init__(self, folder: Path) -> None:
        self.train = folder / "train"
        self.tests = sorted((folder / "test").iterdir())
        self.learn: Callable[..., Any] = blemish.fit  # named here, since that imports it
        self.detector: Any = None

    def ready(self) -> str:
        return "everything is imported"

    def fit(self) -> str:
        """With all defaults, threshold and saving included."""
        self.detector = self.learn(self.train)
        with tempfile.TemporaryDirectory() as scratch:
            self.detector.save(Path(scratch) / "tile.blemish")
        return repr(float(self.detector.threshold))

    def warm_up(self) -> str:
        few = self.tests[:3]
        return fingerprint([*map(self.detector.inspect, few), *self.detector.inspect_many(few)])

    def inspect(self) -> str:
        return fingerprint(map(self.detector.inspect, self.tests))

    def inspect_many(self) -> str:
        return fingerprint(self.detector.inspect_many(self.tests))


def fingerprint(results: Iterable[Any]) -> str:
    """One hash of all scores and maps."""
    whole = hashlib.sha256()
    for result in results:
        whole.update(repr(float(result.score)).encode())
        whole.update(result.anomaly_map.tobytes())
    return whole.hexdigest()


if __name__ == "__main__":
    main()
