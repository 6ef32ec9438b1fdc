"""UCSD Ped2 at 256 x 256, one model for all clips: pixel AUROC by feature levels, chosen and reported on other clips.

    BLEMISH_DATA=... python benchmarks/ped2_levels.py --output

Levels are chosen on one half of the test clips (odd or even numbers) and reported on the other, both ways. Beside them
stand levels 3 and 4, as the PatchCore paper has them on video frames. Finished cells are kept in --cells, so that an
interrupted run goes on.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from machine import data_folder, markdown_table, publish

from blemish.data.protocols.ped2 import PED2
from blemish.data.protocols.tasks import Task
from blemish.data.samples import Sample
from blemish.options.settings import divide_options
from blemish.reproduction.cell import Cell
from blemish.reproduction.finished import FinishedCells
from blemish.reproduction.measure import Measured, measure
from blemish.reproduction.seen import SeenImages

LEVELS: tuple[tuple[int, ...], ...] = ((3, 4), (2, 3, 4), (2, 3), (1, 2, 3), (1, 2), (2,), (1,))
HALVES = ("odd clips", "even clips")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coreset", default="1%", help="share of patches kept")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cells", type=Path, default=Path("ped2-cells"), help="folder for finished cells")
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    arguments = parser.parse_args()
    (task,) = PED2.tasks(data_folder() / "ped2", arguments.cells)
    finished = FinishedCells(arguments.cells)
    found = {levels: answer(finished, task, levels, arguments) for levels in LEVELS}
    publish("ped2_levels", table(found, arguments.coreset), seed=arguments.seed, keep=arguments.output)


def half(sample: Sample) -> str:
    """The half of the clips that a test frame belongs to, by its clip's number."""
    digits = "".join(filter(str.isdigit, sample.path.parent.name))
    return HALVES[0] if int(digits) % 2 else HALVES[1]


def answer(finished: FinishedCells, task: Task, levels: tuple[int, ...], arguments: argparse.Namespace) -> Measured:
    """What one set of levels reaches on all clips and on each half."""
    options = {"taps": list(levels), "coreset": arguments.coreset}
    cell = Cell(replace(task, scene=half), options, seed=arguments.seed)
    known = finished.find(cell)
    if known is None:
        print(f"levels {levels} ...", file=sys.stderr)
        known = measure(cell, divide_options({})[1], SeenImages())
        finished.keep(cell, known)
    return known


def table(found: Mapping[tuple[int, ...], Measured], coreset: str) -> str:
    """Levels in rows, then what choosing them says."""
    rows = [[", ".join(map(str, levels)), *column(measured)] for levels, measured in found.items()]
    header = ["levels", "all clips (95 % over clips)", *HALVES, "AUPRO at 0.3", "fit", "a frame"]
    lines = [f"Pixel AUROC in percent; coreset {coreset}, blur and everything else as the default preset has it.", ""]
    lines += [markdown_table(header, rows), ""]
    choices = {chosen_on: max(found, key=lambda levels: found[levels].scenes[chosen_on]) for chosen_on in HALVES}
    for chosen_on, reported_on in (HALVES, HALVES[::-1]):
        levels = choices[chosen_on]
        reached = 100 * found[levels].scenes[reported_on]
        lines.append(f"- chosen on {chosen_on}: levels {levels}; reported on {reported_on}: {reached:.2f}")
    if len(set(choices.values())) == 1:
        pooled = found[choices[HALVES[0]]].pixel_auroc
        assert pooled is not None, "the clips hold good and defective pixels"
        lines.append(
            f"- both halves choose the same, so that over all clips, each with levels chosen without it: "
            f"{100 * pooled:.2f}"
        )
    return "\n".join(lines)


def column(measured: Measured) -> list[str]:
    """A row's figures."""
    assert measured.pixel_auroc is not None, "the clips hold good and defective pixels"
    assert measured.aupro is not None, "the clips hold good and defective pixels"
    low, high = measured.pixel_interval or (float("nan"), float("nan"))
    return [
        f"{100 * measured.pixel_auroc:.2f} ({100 * low:.1f} to {100 * high:.1f})",
        *(f"{100 * measured.scenes[name]:.2f}" for name in HALVES),
        f"{100 * measured.aupro:.1f}",
        f"{measured.fit_seconds:.0f} s",
        f"{1000 * measured.inspect_seconds:.0f} ms",
    ]


if __name__ == "__main__":
    main()
