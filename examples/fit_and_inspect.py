"""Learn what good cells look like, keep the model, and inspect a folder.

python examples/fit_and_inspect.py cells
"""

import sys
from pathlib import Path

import blemish


def main(cells: Path) -> None:
    """Fit on cells/good, save and load the model, inspect cells/line."""
    detector = blemish.fit(cells / "good")
    detector.save(cells / "part.blemish")

    detector = blemish.load(cells / "part.blemish")
    for result in detector.inspect_many(sorted((cells / "line").glob("*.png"))):
        print(f"{Path(result.path).name}  {result.verdict:<6}  {result.from_threshold}")
        for region in result.regions:
            box = region.box
            print(f"    {box.width} x {box.height} pixels at ({box.x}, {box.y})", end="")
            if region.nearest:
                good = region.nearest[0]
                print(
                    f"; most like {Path(good.path).name} at ({good.x}, {good.y}), distance {good.distance:.1f}", end=""
                )
            print()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "cells"))
