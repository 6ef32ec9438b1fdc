"""How long a station with twenty products takes until it is ready: all models on line are loaded.

On a machine where others work, the seconds of the processor tell more; two processors share them, but for the first
second or two, which imports what the models need.

PYTHONPATH=tests:benchmarks python benchmarks/station_start.py --keep
"""

import argparse
import os
import tempfile
from pathlib import Path

from machine import Spread, data_folder, markdown_table, publish
from station_process import Served, prepared

from blemish.fitting import fit

RECIPES, PICTURES, STARTS = 20, 40, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="write the result below benchmarks/results")
    given = parser.parse_args()
    pictures = sorted((data_folder() / "mtd").rglob("MT_Free/**/*.jpg"))[:PICTURES]
    with tempfile.TemporaryDirectory() as folder:
        model, data = Path(folder, "model.blemish"), Path(folder, "station")
        fit(pictures, threads=1, progress=False).save(model)
        token = prepared(data, [model], [f"product-{number}" for number in range(RECIPES)])
        wall, worked = [], []
        for _ in range(STARTS):
            served = Served(data, token)
            wall.append(served.seconds)
            worked.append(_processor_seconds(served))
            served.stop()
        size = model.stat().st_size / 1e6
    rows = [
        ["seconds until ready", str(Spread.of(wall))],
        ["seconds of the processor until then", str(Spread.of(worked))],
    ]
    said = f"{RECIPES} products, each a model of {PICTURES} Magnetic Tile pictures with {size:.0f} MB; {STARTS} starts."
    publish("station_start", f"{__doc__}\n{said}\n\n{markdown_table(['', ''], rows)}\n", seed="none", keep=given.keep)


def _processor_seconds(served: Served) -> float:
    assert served.process is not None
    fields = Path(f"/proc/{served.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
