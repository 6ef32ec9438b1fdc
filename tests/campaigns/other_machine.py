"""Fit, inspect and export on drawn parts, and say what came out; on another kind of machine, how far that is from here.

PYTHONPATH=tests python tests/campaigns/other_machine.py > here.json
PYTHONPATH=tests scripts/arm64.sh FOLDER tests/campaigns/other_machine.py --beside here.json

The same parts are drawn from the same seeds. Exit code 1: a score or a map differs by more than 1e-4, or a verdict
does. Networks compute in another order on another processor, so that other rows may be chosen: then more can differ.
"""

import argparse
import json
import platform
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from parts import TINY, good_part, save_image, scratched_part, stained_part

from blemish.export.artefact import Artefact
from blemish.export.compare import compare
from blemish.export.exporting import export_bytes
from blemish.fitting import fit
from blemish.kernels.best import best_kernels
from blemish.methods.patchcore import PatchCore

MOST = 1e-4


def found() -> dict[str, Any]:
    """What a fit and inspections say on this machine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fits = [save_image(folder / f"{seed}.png", good_part(seed)) for seed in range(8)]
        detector = fit(fits, threads=1, progress=False, **TINY)
        parts = [good_part(100), scratched_part(102).grey, stained_part(103).grey]
        results = [detector.inspect(part) for part in parts]
        (folder / "part.onnx").write_bytes(export_bytes(detector.model))
        agreement = compare(detector, Artefact.load(folder / "part.onnx", threads=1), parts)
    method = detector.model.method
    assert isinstance(method, PatchCore)
    bank = method.looks[0].bank
    return {
        "machine": platform.machine(),
        "kernels": type(best_kernels()).__name__,
        "rows": [[int(image), int(cell)] for image, cell in zip(bank.image_K, bank.cell_K, strict=True)],
        "threshold": detector.threshold,
        "scores": [result.score for result in results],
        "peaks": [float(np.nanmax(result.anomaly_map)) for result in results if result.anomaly_map is not None],
        "verdicts": [result.verdict.value for result in results],
        "export": [agreement.score, agreement.map, len(agreement.verdicts)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", type=Path, help="what another machine said")
    arguments = parser.parse_args()
    here = found()
    print(json.dumps(here))
    if arguments.beside is None:
        return
    there = json.loads(arguments.beside.read_text())
    apart = {
        name: float(np.max(np.abs(np.subtract(here[name], there[name]) / np.asarray(there[name]))))
        for name in ("threshold", "scores", "peaks")
    }
    same = {name: here[name] == there[name] for name in ("rows", "verdicts")}
    print(f"{there['machine']} and {here['machine']}: apart by {apart}; the same: {same}")
    raise SystemExit(0 if max(apart.values()) <= MOST and same["verdicts"] else 1)


if __name__ == "__main__":
    main()
