"""What an export loses with weights in fewer bits, and what whole-number arithmetic would lose.

    BLEMISH_DATA=... python benchmarks/export_lighter.py --keep

Magnetic Tile: models of 60 good images. Each export judges the same unseen good images and defective ones as its model,
in ONNX Runtime on one thread. "int8 arithmetic" is no option of ours: ONNX Runtime's own quantize_static turns the
network's convolutions of the float32 export to int8, values and weights (QDQ, a scale for each channel of the weights,
the ranges of values from the good images fitted on).
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from machine import data_folder, figure, markdown_table, publish
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

from blemish.arrays import Array
from blemish.detector import Detector
from blemish.export.artefact import Artefact
from blemish.export.exporting import document_of, export_bytes, packed
from blemish.export.graph import export_graph
from blemish.export.lighter import Precision
from blemish.export.loss import measured_loss
from blemish.fitting import fit
from blemish.images.read import read_image

SEED, FITTED = 0, 60
EFFORTS: dict[Literal["quick", "standard"], int] = {"quick": 200, "standard": 100}
"""How many good images, and how many defective ones, judge each."""
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "int8")


class Fitted(CalibrationDataReader):  # type: ignore[misc]
    """The inputs that ONNX Runtime takes the ranges of values from."""

    def __init__(self, detector: Detector, images: list[Path], cells: dict[str, Array]) -> None:
        self._feeds = iter(self._each(detector, images, cells))

    def get_next(self) -> dict[str, Array] | None:
        return next(self._feeds, None)

    def _each(self, detector: Detector, images: list[Path], cells: dict[str, Array]) -> Iterator[dict[str, Array]]:
        for image in images:
            yield {"image": detector.viewer(read_image(image), image.name)[0], **cells}


def in_whole_numbers(detector: Detector, images: list[Path], folder: Path) -> bytes:
    """The export with its network's convolutions in int8."""
    exported = export_graph(detector.model)
    cells = {
        name: np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
        for (rows, columns), name in exported.cells.items()
    }
    plain, quantised = folder / "plain.onnx", folder / "quantised.onnx"
    onnx.save(exported.graph, plain)
    reader = Fitted(detector, images, cells)
    quantize_static(
        plain, quantised, reader, quant_format=QuantFormat.QDQ, per_channel=True, op_types_to_quantize=["Conv"]
    )
    return packed(onnx.load(quantised), document_of(detector.model, exported))


def row(detector: Detector, name: str, content: bytes, good: list[Path], bad: list[Path], folder: Path) -> list[str]:
    """One line of the table."""
    path = folder / "part.onnx"
    path.write_bytes(content)
    artefact = Artefact.load(path, threads=1)
    loss = measured_loss(detector, artefact, good, bad)
    assert loss.auroc
    began = time.process_time()
    for image in good[:30]:
        artefact.inspect(image)
    milliseconds = 1000 * (time.process_time() - began) / 30
    figures = figure(len(content) / 1e6), figure(milliseconds), f"{loss.verdicts[0]} of {loss.good}"
    moved = f"{loss.auroc[0]:.2f} to {loss.auroc[1]:.2f}", f"{loss.auroc[0] - loss.auroc[1]:+.2f}"
    return [name, *figures, f"{loss.verdicts[1]} of {loss.defective}", f"{loss.score:.2%}", *moved]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="write the result")
    arguments = parser.parse_args()
    tiles = sorted((data_folder() / "mtd").glob("MT_*/Imgs/*.jpg"))
    np.random.default_rng(SEED).shuffle(tiles)
    good, bad = ([path for path in tiles if ("MT_Free" in str(path)) == free] for free in (True, False))
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for effort, count in EFFORTS.items():
            detector = fit(good[:FITTED], threads=1, progress=False, effort=effort)
            exports: dict[str, bytes] = {
                precision: export_bytes(detector.model, precision=precision) for precision in PRECISIONS
            }
            if effort == "quick":
                exports["int8 arithmetic"] = in_whole_numbers(detector, good[:FITTED], folder)
            for title, content in exports.items():
                unseen = good[FITTED : FITTED + count]
                rows.append(row(detector, f"{effort}, {title}", content, unseen, bad[:count], folder))
                print(rows[-1], flush=True)
    header = ["", "file, MB", "ms of the processor", "verdicts that change: good", "defective", "scores differ by"]
    table = markdown_table([*header, "AUROC, %", "points lost"], rows)
    publish("export_lighter", f"{__doc__}\n{table}", seed=SEED, keep=arguments.keep)


if __name__ == "__main__":
    main()
