"""A good part is rejected: teach the model that it is good, without fitting again, and take it back.

python examples/teach_on_the_line.py cells
"""

import sys
from pathlib import Path

import blemish


def main(cells: Path) -> None:
    """Teach a model the good cell that it finds strangest."""
    before = blemish.fit(cells / "good")
    strangest = max(before.inspect_many(sorted((cells / "ok").glob("*.png"))), key=lambda result: result.score)
    print(f"before  {Path(strangest.path).name}: {strangest.verdict}, score {strangest.score:.1f}")

    # A model never changes: `add` returns a new detector, and `before` goes on answering as it did.
    after = before.add([strangest.path], who="example")
    taught = after.inspect(strangest.path)
    print(f"after   {Path(strangest.path).name}: {taught.verdict}, score {taught.score:.1f}")

    for change in after.journal:
        print(f"journal {change.change} by {change.who}: {', '.join(Path(image.path).name for image in change.images)}")

    undone = after.undo().inspect(strangest.path)
    print(f"undone  {Path(strangest.path).name}: {undone.verdict}, score {undone.score:.1f}")
    after.save(cells / "taught.blemish")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "cells"))
