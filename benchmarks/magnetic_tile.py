"""Magnetic Tile Defects (Huang et al., 2020): how well a detector parts good tiles from defective ones.

    BLEMISH_DATA=... python benchmarks/magnetic_tile.py
    BLEMISH_DATA=... python benchmarks/magnetic_tile.py --backbone resnet18_tv --preset paper --coreset 0.01 0.1

Two splits: the published one (DifferNet's; its test tiles were seen in training under another exposure) and the
tile-disjoint one. Pictures of one tile form a group, in fit and in the intervals.
"""

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
from machine import Spread, data_folder, markdown_table, publish

import blemish
from blemish.evaluate.evaluation import Estimate, Evaluation
from blemish.evaluate.metrics import auroc
from blemish.evaluate.run import evaluate
from blemish.images.samples import Sample

LISTS = {"published": "train.txt", "disjoint": "train_disjoint.txt"}
PAPER = "97.9 % (WideResNet-50, 10 %; table 6)"
SINGLY = 50
"""So many test images are also inspected one at a time."""


@dataclass(frozen=True)
class Outcome:
    """One detector on one split."""

    split: str
    trained_on: int
    bank_rows: int
    fit_seconds: float
    one_ms: Spread
    evaluation: Evaluation
    seeds: list[float]
    """Image AUROC by seed, in percent; the first is that of the evaluation."""


def main() -> None:
    arguments = parse()
    outcomes = [
        measure(arguments, split, coreset) for coreset in arguments.coreset or [None] for split in arguments.split
    ]
    theme = "_".join(filter(None, ["magnetic_tile", arguments.preset, arguments.backbone]))
    publish(theme, table(outcomes), seed=arguments.seed, keep=arguments.output)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=["default", "paper"], default="default")
    parser.add_argument("--backbone", help="by default the built-in one")
    parser.add_argument("--coreset", nargs="+", help="shares or numbers of rows, one column each")
    parser.add_argument("--split", nargs="+", choices=list(LISTS), default=list(LISTS))
    parser.add_argument("--seeds", type=int, default=1, help="so many seeds from --seed on, for the image AUROC")
    parser.add_argument("--images", type=int, help="train and test on so many images only, to try the script")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    return parser.parse_args()


def measure(arguments: argparse.Namespace, split: str, coreset: str | None) -> Outcome:
    """Fit on the good images of a split, then inspect and score its test images."""
    print(f"{split}, coreset {coreset or 'as in the preset'} ...", file=sys.stderr)
    with tempfile.TemporaryDirectory() as masks:
        samples = read_split(data_folder() / "mtd", split, Path(masks))
        train = thin([sample for sample in samples if sample.split == "train"], arguments.images)
        tests = thin([sample for sample in samples if sample.split == "test"], arguments.images)
        asked = {"preset": arguments.preset, "backbone": arguments.backbone, "coreset": coreset, "seed": arguments.seed}
        options = {name: value for name, value in asked.items() if value is not None}
        began = time.perf_counter()
        detector = blemish.fit([s.path for s in train], groups=[s.group for s in train], **options)
        fit_seconds = time.perf_counter() - began
        evaluation = evaluate(detector, tests, seed=arguments.seed)
        others = [
            # Folds set the threshold alone; two are enough where only the ranking is asked for.
            ranking(blemish.fit([s.path for s in train], **options | {"seed": seed, "folds": 2}), tests)
            for seed in range(arguments.seed + 1, arguments.seed + arguments.seeds)
        ]
        return Outcome(
            split,
            len(train),
            detector.info()["bank"]["rows"],
            fit_seconds,
            one_at_a_time(detector, thin(tests, SINGLY)),
            evaluation,
            [ranking_of(evaluation), *others],
        )


def ranking(detector: blemish.Detector, tests: Sequence[Sample]) -> float:
    """Image AUROC alone, in percent."""
    scores = [result.score for result in detector.inspect_many(sample.path for sample in tests)]
    return 100 * auroc(scores, [sample.label for sample in tests])


def ranking_of(evaluation: Evaluation) -> float:
    assert evaluation.auroc is not None, "both labels are there"
    return 100 * evaluation.auroc.value


def read_split(folder: Path, split: str, masks: Path) -> list[Sample]:
    """The samples of a split, as the data set's own lists have them; cleaned masks are written to `masks`."""
    with (folder / "groups.csv").open(encoding="utf-8") as lines:
        group_of = {row["path"]: row["group"] for row in csv.DictReader(lines)}
    train = {path: number for number, path in enumerate((folder / LISTS[split]).read_text(encoding="utf-8").split())}
    touched = {group for path, group in group_of.items() if not path.startswith("MT_Free/")}
    samples = []
    # In the order of the published list: the coreset's first row is drawn from it.
    for path, group in sorted(group_of.items(), key=lambda item: (train.get(item[0], -1), item[0])):
        good = path.startswith("MT_Free/")
        if split == "disjoint" and good and group in touched:
            continue
        samples.append(
            Sample(
                path=folder / path,
                label=int(not good),
                defect="good" if good else path.split("/")[0].removeprefix("MT_"),
                mask=None if good else clean_mask(folder / path, masks),
                group=group,
                split="train" if path in train else "test",
            )
        )
    return samples


def clean_mask(image: Path, masks: Path) -> Path | None:
    """Cut a mask at half its brightest value, for the given ones carry faint specks; None for an empty one."""
    mask = cv2.imread(str(image.with_suffix(".png")), cv2.IMREAD_GRAYSCALE)
    assert mask is not None, f"{image} has a mask"
    if not mask.any():
        return None
    cleaned = masks / f"{image.stem}.png"
    cv2.imwrite(str(cleaned), (mask > mask.max() / 2).astype("uint8") * 255)
    return cleaned


def thin(samples: Sequence[Sample], count: int | None) -> list[Sample]:
    """About so many of the samples, evenly spread; all of them without a count."""
    return list(samples[:: max(1, len(samples) // count)]) if count else list(samples)


def one_at_a_time(detector: blemish.Detector, tests: Sequence[Sample]) -> Spread:
    """Milliseconds from file to map, each image on all threads, after one to warm up."""
    detector.inspect(tests[0].path)
    milliseconds = []
    for sample in tests:
        began = time.perf_counter()
        detector.inspect(sample.path)
        milliseconds.append(1000 * (time.perf_counter() - began))
    return Spread.of(milliseconds)


def table(outcomes: Sequence[Outcome]) -> str:
    """One column per detector and split; measures in rows."""
    columns = [column(outcome) for outcome in outcomes]
    header = ["", *(f"{outcome.split}, {outcome.bank_rows} rows" for outcome in outcomes)]
    measures = dict.fromkeys(measure for figures in columns for measure in figures)
    rows = [[measure, *(figures.get(measure, "-") for figures in columns)] for measure in measures]
    notes = sorted({note for outcome in outcomes for note in outcome.evaluation.notes})
    return "\n".join([markdown_table(header, rows), "", INTERVALS, *(f"- {note}" for note in notes)])


INTERVALS = (
    "In brackets: 95 % bootstrap intervals over groups (pictures of one tile), or the range of single runs. "
    "False rejects and misses count at the threshold of the model itself; F1-max is an oracle. "
    "Masks are cut at half their brightest value; one that is empty leaves its image out of the pixel metrics."
)


def column(outcome: Outcome) -> dict[str, str]:
    """What one outcome says, measure by measure."""
    evaluation = outcome.evaluation
    pixels, confusion = evaluation.pixels, evaluation.confusion
    return {
        "good images trained on": str(outcome.trained_on),
        "test images": f"{evaluation.good} good, {evaluation.defective} defective",
        "image AUROC": percent(evaluation.auroc),
        "image AUROC by seed": f"{Spread.of(outcome.seeds)} %" if len(outcome.seeds) > 1 else "-",
        "the paper's image AUROC": PAPER if outcome.split == "published" else "-",
        "average precision": percent(evaluation.average_precision),
        "F1-max (oracle)": percent(evaluation.f1_max),
        "pixel AUROC": percent(pixels.auroc if pixels else None),
        "AUPRO at 0.3": percent(pixels.aupro if pixels else None),
        **{f"image AUROC, {each.defect} ({each.images})": percent(each.auroc) for each in evaluation.defects},
        "false rejects at the model's threshold": percent(confusion.false_reject_rate),
        "misses at the model's threshold": percent(confusion.miss_rate),
        "fit, threshold included": f"{outcome.fit_seconds:.1f} s",
        "inspect, in a stream": f"{1000 * evaluation.seconds_per_image:.1f} ms an image",
        "inspect, one at a time": f"{outcome.one_ms} ms",
    }


def percent(value: Estimate | float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{100 * value:.2f} %"
    if value.low is None or value.high is None:
        return percent(value.value)
    return f"{100 * value.value:.2f} % ({100 * value.low:.1f} to {100 * value.high:.1f})"


if __name__ == "__main__":
    main()
