"""The time of an export in ONNX Runtime against the model's own, one image on one thread, and what memory it takes.

python benchmarks/export.py --keep

Images are those of Magnetic Tile. Banks are real patches drawn at random: time is asked, not detection. Each image is
inspected by both, one after the other, and processor time is counted, so that other work on the machine matters less;
the ratio is that of each image, reading and map included.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from machine import Spread, data_folder, figure, markdown_table, publish

from blemish.detector import Detector
from blemish.export.artefact import Artefact
from blemish.export.exporting import export_bytes
from blemish.features.patches import look
from blemish.fitting import fit
from blemish.memory.bank import Bank
from blemish.methods.patchcore import PatchCore

SEED = 0
FITTED, TIMED, ROWS = 24, 24, (3000, 15000)


def with_rows(detector: Detector, images: list[Path], rows: int) -> Detector:
    """The detector with so many patches of these images, drawn at random, for a bank."""
    method = detector.model.method
    assert isinstance(method, PatchCore)
    seen = [look(path, detector.viewer, detector.extractors.shared).features["patches"].values_QD for path in images]
    patches_ND = np.concatenate(seen)
    drawn_K = np.random.default_rng(SEED).permutation(len(patches_ND))[:rows]
    assert len(drawn_K) == rows, "enough images for the bank"
    none_K = np.zeros(rows, np.int64)
    bank = Bank(patches_ND[drawn_K], none_K, none_K, np.ones(rows, np.float32), np.inf)
    return detector.with_model(replace(detector.model, method=method.with_looks([method.looks[0].over(bank)])))


def seconds(work: Callable[[Path], object], image: Path) -> float:
    """Of processor time, after one run that is not counted."""
    work(image)
    began = time.process_time()
    work(image)
    return time.process_time() - began


def memory(path: Path, image: Path) -> str:
    """Peak memory in MB of a process that loads an export and inspects one image."""
    words = [sys.executable, __file__, "--alone", str(path), str(image)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def row(detector: Detector, rows: int, images: list[Path], path: Path) -> list[str]:
    """One line of the table."""
    model = with_rows(detector, images[: max(1, rows // 400)], rows)
    path.write_bytes(export_bytes(model.model))
    artefact = Artefact.load(path, threads=1)
    pairs = [(seconds(model.inspect, image), seconds(artefact.inspect, image)) for image in images[-TIMED:]]
    ours, theirs = zip(*pairs, strict=True)
    times = [str(Spread.of(1000 * each for each in both)) for both in (ours, theirs)]
    size = figure(path.stat().st_size / 1e6)
    return [f"{rows:,}", *times, str(Spread.of_ratios(theirs, ours)), size, memory(path, images[0])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="write the result")
    parser.add_argument("--alone", nargs=2, metavar=("EXPORT", "IMAGE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        Artefact.load(arguments.alone[0], threads=1).inspect(arguments.alone[1])
        print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")
        return
    images = sorted((data_folder() / "mtd").glob("MT_Free/Imgs/*.jpg"))
    np.random.default_rng(SEED).shuffle(images)
    detector = fit(images[:FITTED], threads=1, progress=False, effort="quick", coreset=100)
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(detector, each, images, Path(folder) / "part.onnx") for each in ROWS]
    header = ["rows of the bank", "model, ms", "export, ms", "export / model", "file, MB", "peak memory, MB"]
    publish("export", f"{__doc__}\n{markdown_table(header, rows)}", seed=SEED, keep=arguments.keep)


if __name__ == "__main__":
    main()
