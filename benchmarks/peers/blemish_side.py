"""Our side of against_anomalib.py, in a process of its own as the peer's is. Prints one JSON object."""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from blemish import fit

OPTIONS: dict[str, dict[str, Any]] = {
    "patchcore": {"taps": [2, 3], "coreset": 0.01, "image_score": "reweighted"},
    "padim": {"taps": [1, 2, 3]},
}
"""The settings of anomalib's defaults."""


def main() -> None:
    ready = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--method", choices=list(OPTIONS), required=True)
    arguments = parser.parse_args()
    start = time.perf_counter()
    detector = fit(
        arguments.folder / "train",
        method=arguments.method,
        backbone=arguments.backbone,
        size=(256, 256),
        resize="stretch",
        **OPTIONS[arguments.method],
    )
    with tempfile.TemporaryDirectory() as scratch:
        detector.save(Path(scratch) / "tile.blemish")
    fit_seconds = time.perf_counter() - start
    fit_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for image in sorted((arguments.folder / "warm_up").iterdir()):
        detector.inspect(image)
    tests = sorted((arguments.folder / "test").iterdir())
    start = time.perf_counter()
    scores = {image.name: detector.inspect(image).score for image in tests}
    inspect_ms = 1000 * (time.perf_counter() - start) / len(tests)
    answer = {
        "ready": ready,
        "fit_seconds": fit_seconds,
        "fit_peak_mb": fit_peak,
        "inspect_ms": inspect_ms,
        "kept": str(detector.model.method),
        "scores": scores,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
