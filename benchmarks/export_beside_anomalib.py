"""An export of blemish beside one of anomalib: how far each is from its own trained model, its time and its size.

    BLEMISH_DATA=... python benchmarks/export_beside_anomalib.py --anomalib-python ANOMALIB_ENV/bin/python --output

Both fit PatchCore on the same Magnetic Tile images with ResNet-18 at 256 x 256 and 1 % of the patches, and export it to
ONNX and to OpenVINO by their own commands. Each artefact and each trained model then judges the same unseen images on
one thread, one after the other: processor time from the sized image to score, map and verdict. anomalib's environment
needs its packages onnx, onnxruntime and openvino; the backbone comes from
`blemish backbone export resnet18 --weights FILE --save-as resnet18_tv`.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from against_anomalib import PEERS, WEIGHTS, lay_out
from machine import data_folder, figure, markdown_table, publish

from blemish.arrays import Array
from blemish.detector import Detector
from blemish.export.artefact import Artefact
from blemish.export.compare import Judged, Tally
from blemish.export.exporting import export_bytes
from blemish.export.ir import write_ir
from blemish.fitting import fit
from blemish.images.read import read_image
from blemish.result import Result

FITTED, TESTED, SIZE = 200, 100, (256, 256)
RUNTIMES = ("ONNX Runtime", "OpenVINO")

Figures = dict[str, Any]


def ours(folder: Path, backbone: str) -> Figures:
    """What the peer's side prints, of blemish."""
    detector = fit(
        folder / "train",
        backbone=backbone,
        size=SIZE,
        resize="stretch",
        taps=[2, 3],
        coreset=0.01,
        image_score="reweighted",
        threads=1,
        progress=False,
    )
    images = [sized(detector, path) for path in sorted((folder / "test").iterdir())]
    with tempfile.TemporaryDirectory() as scratch:
        onnx, ir = Path(scratch, "part.onnx"), Path(scratch, "part.xml")
        onnx.write_bytes(export_bytes(detector.model))
        write_ir(ir, onnx.read_bytes())
        sizes = {RUNTIMES[0]: megabytes(onnx), RUNTIMES[1]: megabytes(ir, ir.with_suffix(".bin"))}
        paths = dict(zip(RUNTIMES, (onnx, ir), strict=True))
        answers = {name: beside(detector, Artefact.load(paths[name], threads=1), images) for name in RUNTIMES}
    return {name: answers[name] | {"mb": sizes[name]} for name in RUNTIMES} | {"rows": str(detector.model.method)}


def sized(detector: Detector, path: Path) -> Array:
    """An image as the network sees it, so that neither reading nor resizing is timed."""
    pixels: Array = detector.viewer(read_image(path, rules=detector.viewer.rules), path.name)[0]
    return pixels


def beside(detector: Detector, artefact: Artefact, images: Sequence[Array]) -> Figures:
    """The largest differences of an export from its model, and the processor time an image of both."""
    tally, times = Tally.of(detector), []
    for number, image in enumerate(images):
        artefact.inspect(image)
        (theirs, of_export), (own, of_model) = (timed(side.inspect, image) for side in (artefact, detector))
        times.append((of_export, of_model))
        tally.add(str(number), Judged.of(own), Judged.of(theirs))
    found = tally.found()
    milliseconds = 1000 * np.median(times, axis=0)
    return {
        "score": found.score,
        "map": found.map,
        "verdicts": len(found.verdicts),
        "ms": milliseconds[0],
        "trained_ms": milliseconds[1],
    }


def timed(inspect: Callable[[Array], Result], image: Array) -> tuple[Result, float]:
    """A result, and the seconds of the processor that it took."""
    began = time.process_time()
    result = inspect(image)
    return result, time.process_time() - began


def megabytes(*paths: Path) -> float:
    return sum(path.stat().st_size for path in paths) / 1e6


ROWS = {
    "largest difference of a score from the trained model's": "score",
    "largest difference of a map": "map",
    "verdicts that differ": "verdicts",
    "ms of the processor an image": "ms",
    "the trained model itself, ms": "trained_ms",
    "file, MB": "mb",
}


def said(key: str, value: float) -> str:
    """Sizes are so near to each other that three digits do not tell them apart."""
    return f"{value:.3f}" if key == "mb" else figure(value)


def table(blemish: Figures, anomalib: Figures) -> str:
    """Both runtimes, both sides."""
    rows = [
        [runtime, words, *(said(key, side[runtime][key]) for side in (blemish, anomalib))]
        for runtime in RUNTIMES
        for words, key in ROWS.items()
    ]
    kept = f"Ours keeps {blemish['rows']}, anomalib {anomalib['rows']:,} rows. {FITTED} images fitted, {TESTED} judged."
    return "\n\n".join([kept, markdown_table(["runtime", "", "blemish", "anomalib"], rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anomalib-python", required=True, help="the Python of an environment with anomalib 2.7")
    parser.add_argument("--backbone", default="resnet18_tv", help="the exported ResNet-18")
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    arguments = parser.parse_args()
    weights = data_folder().parent / WEIGHTS
    with tempfile.TemporaryDirectory() as scratch:
        lay_out(data_folder() / "mtd", Path(scratch), FITTED, TESTED)
        blemish = ours(Path(scratch), arguments.backbone)
        command = [arguments.anomalib_python, PEERS / "anomalib_export.py", "--weights", weights, scratch]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        anomalib = json.loads(said.splitlines()[-1])
    extra = {f"{name} (its own environment)": number for name, number in anomalib["versions"].items()}
    words = f"{__doc__}\n{table(blemish, anomalib)}"
    publish("export_beside_anomalib", words, seed=0, keep=arguments.output, extra=extra)


if __name__ == "__main__":
    main()
