"""Pictures of one part: the groups that `blemish doctor` proposes, against the tiles of Magnetic Tile Defects.

    BLEMISH_DATA=... python benchmarks/same_part.py

Precision: of all pairs of images the doctor puts together, how many are of one group in the data set's list. Recall: of
all pairs of the list, how many the doctor puts together. The list is the pictures' running numbers; one of its groups
may hold several tiles, whose pairs no look can join, so recall among images of like size is given beside it.
"""

import argparse
import csv
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from machine import data_folder, markdown_table, publish
from PIL import Image

from blemish.arrays import Array, Bools
from blemish.data.samples import read_samples
from blemish.diagnosis.data_set import Examination, examine_data

LIKE_SIZE = 1.3
"""Images of one tile differ by no more than this factor in height and in width."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    arguments = parser.parse_args()
    folder = data_folder() / "mtd"
    with (folder / "groups.csv").open(encoding="utf-8") as lines:
        listed = {row["path"]: row["group"] for row in csv.DictReader(lines)}
    with tempfile.TemporaryDirectory() as temporary:
        images = Path(temporary, "images.csv")
        rows = [f"{folder / path},{'good' if path.startswith('MT_Free') else 'bad'},train" for path in listed]
        images.write_text("\n".join(["path,label,split", *rows]), encoding="utf-8")
        began = time.perf_counter()
        found = examine_data(images)
        seconds = time.perf_counter() - began
        proposal = Path(temporary, "groups.csv")
        found.write_groups(proposal)
        proposed = {sample.path.resolve(): sample.group for sample in read_samples(proposal)}
    ours = np.array([proposed[(folder / path).resolve()] for path in listed])
    sizes = np.array([Image.open(folder / path).size for path in listed])
    publish(
        "same_part", table(np.array(list(listed.values())), ours, sizes, found, seconds), seed=0, keep=arguments.output
    )


def table(theirs: Array, ours: Array, sizes: Array, found: Examination, seconds: float) -> str:
    upper = np.triu_indices(len(ours), 1)
    together, true = pairs(ours)[upper], pairs(theirs)[upper]
    like = (np.abs(np.log(sizes[:, None] / sizes)) < np.log(LIKE_SIZE)).all(axis=2)[upper]
    joined = (together & true).sum()
    groups = Counter(ours)
    rows = [
        ["images", str(len(ours))],
        ["groups in the data set's list", str(len(set(theirs)))],
        ["groups proposed (largest)", f"{len(groups)} ({max(groups.values())})"],
        ["pairs proposed", f"{together.sum():,}"],
        ["pairwise precision", f"{100 * joined / together.sum():.1f} %"],
        ["pairwise recall", f"{100 * joined / true.sum():.1f} %"],
        ["pairwise recall, images of like size", f"{100 * (joined_like(together, true, like)):.1f} %"],
        ["findings", ", ".join(f"{each.name} ({len(each.files)})" for each in found.findings)],
        ["the whole examination", f"{seconds:.1f} s"],
    ]
    return markdown_table(["Magnetic Tile Defects", ""], rows)


def joined_like(together: Bools, true: Bools, like: Bools) -> float:
    return float((together & true & like).sum() / (true & like).sum())


def pairs(groups: Array) -> Bools:
    """Which pairs of images are of one group."""
    return np.asarray(groups[:, None] == groups)


if __name__ == "__main__":
    main()
