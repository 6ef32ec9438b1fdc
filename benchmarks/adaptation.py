"""What adapting the network brings: looks of one that learnt made defects, in place of the small looks or beside them.

    BLEMISH_DATA=... python benchmarks/adaptation.py --sets elpv_poly bsd --images 1600 --rate 2e-4 --output
    BLEMISH_DATA=... python benchmarks/adaptation.py --train-on surfaces --images 3200 --output

Trained on products, the network sees the good images of each set, and learns anew for each. Trained on surfaces, it
learns once on made ones (adaptation_surfaces.py), for all sets. Standard's looks and the adapted ones are then fitted
together by `blemish.fit`, and each way to join some of them scores the test images. Networks and finished cells are
kept in --cells, so that an interrupted run goes on; give another folder after a change of code. Needs the extra
[adapt]; solar cells need [demo].
"""

import argparse
import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from adaptation_surfaces import Product
from detection_cell import Cell, Figures, image_figures, samples_of, tested
from detection_sets import SETS
from machine import markdown_table, publish, versions
from some_looks import LOOKS, THREADS, fitted, says

from blemish.adaptation.adapt import product_pairs
from blemish.adaptation.made import Good
from blemish.adaptation.network import IMAGES, RATE, Pairs, Training, learn, write_network
from blemish.data.samples import Sample
from blemish.features.patches import look
from blemish.options.settings import divide_options
from blemish.system.address import Place
from blemish.system.progress import silent

VARIANTS = {
    "standard plain": (0, 1, 2),
    "small looks replaced": (0, 3, 4),
    "small looks added": (0, 1, 2, 3, 4),
}
"""Standard's looks come first; behind them the small ones once more, seen by the adapted network."""
SURFACE = (224, 224)
NOTES = """In percent: image AUROC of the development half, the report half, and all test images; behind them, of all
test images, defects found at 5 % false rejects, an oracle. Means over the seeds."""


@dataclass(frozen=True)
class Asked:
    """One set, and the network that looks at it."""

    data: str
    seed: int
    images: int
    rate: float
    train_on: str
    thin: int | None

    @property
    def name(self) -> str:
        """Of the file that keeps the answer."""
        return f"{self.data}_{_digest(self)}"

    @property
    def network(self) -> str:
        """Of the network: that of surfaces is the same for all sets."""
        if self.train_on == "products":
            return f"adapted_{self.name}"
        alike = dataclasses.replace(self, data="surfaces", thin=None)
        return f"adapted_{alike.name}"

    def samples(self, data: Path) -> list[Sample]:
        return samples_of(Cell(self.data, {}, self.seed, self.thin), data)


def main() -> None:
    arguments = parse()
    if not arguments.data.is_dir():
        raise SystemExit("Set BLEMISH_DATA, or give --data: the folder that holds the data sets.")
    arguments.cells.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in arguments.sets:
        seeds = [answer(asked(name, seed, arguments), arguments) for seed in arguments.seeds]
        rows.append([SETS[name].title, *(_cell(seeds, variant) for variant in VARIANTS)])
    words = f"Trained on {arguments.train_on}: {arguments.images} images, rate {arguments.rate:g}."
    body = f"{markdown_table(['set', *VARIANTS], rows)}\n\n{NOTES} {words}"
    theme, seeds_said = f"adaptation_{arguments.train_on}", ", ".join(map(str, arguments.seeds))
    publish(theme, body, seed=seeds_said, keep=arguments.output, extra=versions(["torch", "timm"]))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    judged = [name for name, each in SETS.items() if not each.by_pixels]
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BLEMISH_DATA", "?")))
    parser.add_argument("--sets", nargs="+", choices=judged, default=["elpv_poly", "elpv_mono", "bsd", "mtd_disjoint"])
    parser.add_argument("--images", type=int, default=IMAGES, help="made defects to learn from")
    parser.add_argument("--rate", type=float, default=RATE, help="highest learning rate of the network")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--train-on", choices=["products", "surfaces"], default="products")
    parser.add_argument("--thin", type=int, help="fit and test on about so many images only, to try the script")
    parser.add_argument("--cells", type=Path, default=Path("adaptation-cells"), help="folder for finished cells")
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    return parser.parse_args()


def asked(name: str, seed: int, arguments: argparse.Namespace) -> Asked:
    return Asked(name, seed, arguments.images, arguments.rate, arguments.train_on, arguments.thin)


def answer(cell: Asked, arguments: argparse.Namespace) -> dict[str, dict[str, Figures]]:
    """The figures of each variant and half, from the folder of finished cells or measured now."""
    kept: Path = arguments.cells / f"{cell.name}.json"
    if kept.is_file():
        plain = json.loads(kept.read_text(encoding="utf-8"))
        return {variant: {half: Figures(**each) for half, each in halves.items()} for variant, halves in plain.items()}
    found = measure(cell, arguments.data, trained(cell, arguments))
    plain = {
        variant: {half: dataclasses.asdict(each) for half, each in halves.items()} for variant, halves in found.items()
    }
    kept.write_text(json.dumps(plain, indent=1), encoding="utf-8")
    print(cell.data, *(_cell([found], variant) for variant in VARIANTS), file=sys.stderr, sep=" | ", flush=True)
    return found


def trained(cell: Asked, arguments: argparse.Namespace) -> Path:
    """The adapted network's file, trained now where it is not there."""
    folder: Path = arguments.cells.resolve()
    kept = folder / f"{cell.network}.onnx"
    if kept.is_file():
        return kept
    pairs = of_surfaces if cell.train_on == "surfaces" else of_product(cell.samples(arguments.data), cell.seed)
    network = learn(pairs, Training(cell.seed, THREADS, cell.images, cell.rate))
    write_network(network, cell.network, source="adapted by benchmarks/adaptation.py", folder=folder)
    return kept


def of_product(samples: Sequence[Sample], seed: int) -> Pairs:
    """Pairs of good images of a set, as `blemish adapt` draws them."""
    train = [sample for sample in samples if sample.split == "train"]
    paths, groups = [sample.path for sample in train], [sample.group for sample in train]
    return product_pairs(paths, groups, *divide_options({"seed": seed, "threads": THREADS}), silent)[0]


def of_surfaces(random: np.random.Generator) -> tuple[Good, Good]:
    """Two images of one made product, which no other pair shows."""
    product, all_HW = Product(_seed(random)), np.ones(SURFACE, np.bool_)
    return Good(product.image(SURFACE, _seed(random)), all_HW), Good(product.image(SURFACE, _seed(random)), all_HW)


def measure(cell: Asked, data: Path, network: Path) -> dict[str, dict[str, Figures]]:
    """Fit all looks at once, and let each variant score the test images by some of them."""
    samples = cell.samples(data)
    detector = fitted(samples, [*LOOKS, *(f"{network}@{small}" for small in LOOKS[1:])], cell.seed)
    halves = tested(samples)
    scores: dict[Place, dict[str, float]] = {}
    for sample in halves["all"]:
        features = look(sample.path, detector.viewer, detector.extractors.alone).features
        scores[sample.path] = {name: says(detector, features, chosen) for name, chosen in VARIANTS.items()}
    return {
        name: {half: _figures(part, [scores[each.path][name] for each in part]) for half, part in halves.items()}
        for name in VARIANTS
    }


def _figures(samples: Sequence[Sample], scores: Sequence[float]) -> Figures:
    labels = [sample.label for sample in samples]
    return image_figures(scores, labels) if len(set(labels)) == 2 else Figures(None, None)


def _seed(random: np.random.Generator) -> int:
    return int(random.integers(1 << 31))


def _digest(cell: Asked) -> str:
    return hashlib.sha256(json.dumps(dataclasses.asdict(cell)).encode()).hexdigest()[:12]


def _cell(seeds: Sequence[Mapping[str, Mapping[str, Figures]]], variant: str) -> str:
    """AUROC of the halves and of all, and what is found of all."""
    of_half = {half: [seed[variant][half] for seed in seeds] for half in ("dev", "report", "all")}
    areas = [_mean([each.auroc for each in figures], 1) for figures in of_half.values()]
    return f"{' / '.join(areas)}; {_mean([each.found for each in of_half['all']], 0)}"


def _mean(values: Sequence[float | None], digits: int) -> str:
    known = [value for value in values if value is not None]
    return f"{fmean(known):.{digits}f}" if known else "-"


if __name__ == "__main__":
    main()
