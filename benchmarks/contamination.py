"""The self-scan: real defects slipped among good images, and how many of them it names.

    BLEMISH_DATA=... python benchmarks/contamination.py --output

Magnetic Tile Defects (good images of the published training list) and the monocrystalline cells of ELPV; defective ones
of any type; each draw anew.
"""

import argparse
import sys

import numpy as np
from machine import data_folder, markdown_table, publish

from blemish.data.protocols.magnetic_tile import read_magnetic_tile
from blemish.data.protocols.solar_cells import solar_cell_task
from blemish.data.protocols.tasks import Task
from blemish.data.samples import Sample
from blemish.scanning import scan

SLIPPED = (0, 2, 10, 20)
"""So many defective images among the good ones."""


def main() -> None:
    arguments = parse()
    tasks = {"Magnetic Tile": read_magnetic_tile(data_folder() / "mtd")[0], "ELPV": solar_cell_task()}
    rows = [row(name, task, slipped, arguments) for name, task in tasks.items() for slipped in SLIPPED]
    header = ["images", "named", "precision", "recall", "good ones named"]
    words = f"Means over {arguments.seeds} draws; the default preset, default cutoff."
    publish("contamination", f"{markdown_table(header, rows)}\n\n{words}", seed=0, keep=arguments.output)


def row(name: str, task: Task, slipped: int, arguments: argparse.Namespace) -> list[str]:
    """What the scan names where so many defective images slipped in."""
    print(f"{name}, {slipped} defective ...", file=sys.stderr)
    draws = range(arguments.seeds)
    counts = [look(task.train, task.test, arguments.good, slipped, seed) for seed in draws]
    named, true = (sum(column) for column in zip(*counts, strict=True))
    return [
        f"{name}: {slipped} defective among {arguments.good} good",
        f"{named / len(draws):.1f}",
        f"{true / named:.0%}" if named else "-",
        f"{true / (slipped * len(draws)):.0%}" if slipped else "-",
        f"{(named - true) / len(draws):.1f}",
    ]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--good", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3, help="so many draws")
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    return parser.parse_args()


def look(good: list[Sample], tests: list[Sample], count: int, slipped: int, seed: int) -> tuple[int, int]:
    """How many images the scan names, and how many of them are defective."""
    random = np.random.default_rng(seed)
    defective = [sample for sample in tests if sample.label]
    chosen = [good[i] for i in random.choice(len(good), count, replace=False)]
    chosen += [defective[i] for i in random.choice(len(defective), slipped, replace=False)]
    found = scan([sample.path for sample in chosen], groups=[sample.group for sample in chosen])
    bad = {str(sample.path) for sample in chosen if sample.label}
    return len(found.suspects), sum(result.path in bad for result in found.suspects)


if __name__ == "__main__":
    main()
