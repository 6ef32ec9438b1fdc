"""A table or figure of the PatchCore paper on the data at hand, kept with the machine it was measured on.

    BLEMISH_DATA=... python benchmarks/reproduction.py table6 --folder table6/ --output

The same as `blemish reproduce`, whose folder it shares: finished cells are not measured again.
"""

import argparse
import shutil
import sys
from pathlib import Path

from machine import data_folder, publish

from blemish.reproduction.reproduction import REPRODUCTIONS, reproduce


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=list(REPRODUCTIONS))
    parser.add_argument("--folder", type=Path, required=True, help="for tables, figure and finished cells")
    parser.add_argument("--system", nargs="+", default=[], help="only these rows")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--output", action="store_true", help="keep table and figure in benchmarks/results")
    arguments = parser.parse_args()
    reproduce(
        arguments.name,
        data_folder(),
        arguments.folder,
        backbone=arguments.backbone,
        systems=arguments.system,
        seeds=arguments.seeds,
        say=lambda sentence: print(sentence, file=sys.stderr),
    )
    table = (arguments.folder / f"{arguments.name}.md").read_text(encoding="utf-8")
    path = publish(arguments.name, f"{table}\n{READING}\n", seed=0, keep=arguments.output)
    if arguments.output:
        shutil.copy(arguments.folder / f"{arguments.name}.svg", path.with_suffix(".svg"))


READING = (
    "Figures in percent: the mean over seeds 0, 1, ... and in brackets their range; intervals are 95 % bootstrap "
    "intervals over groups of test images, of seed 0. No threshold enters, and nothing is chosen on test images."
)


if __name__ == "__main__":
    main()
