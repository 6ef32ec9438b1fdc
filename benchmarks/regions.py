"""How well regions cover defects on Magnetic Tile, at the thresholds of the model and at those an oracle would choose.

    BLEMISH_DATA=... python benchmarks/regions.py

Tile-disjoint split, default preset. Pixel F1 pools the pixels of all test images. Region IoU is, for each defective
image, the intersection of its regions with its mask over their union, then the mean. The oracle rows choose the map
threshold on these very masks, for pixel F1 and for region IoU; their regions end at the threshold.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from machine import data_folder, markdown_table, publish

import blemish
from blemish.arrays import Bools, Doubles, Floats
from blemish.calibration.thresholds import Calibration
from blemish.data.protocols.magnetic_tile import read_magnetic_tile
from blemish.data.samples import Sample
from blemish.images.mask import read_mask
from blemish.methods.method import Scores
from blemish.model.inspection import drawn_in
from blemish.scoring.heatmap import find_regions

RATES = (0.01, 0.05, 0.1)
DISJOINT = 1
"""The second of the two splits."""
STEPS = 60
"""Thresholds the oracles choose among, evenly spaced between the median map value and the highest."""


@dataclass(frozen=True)
class Inspected:
    """The map of one test image, and where its defect is; nowhere on a good one."""

    map_HW: Floats
    mask_HW: Bools

    @property
    def floor(self) -> float:
        return Scores(0.0, self.map_HW).floor


@dataclass(frozen=True)
class Quality:
    """What some regions are worth."""

    f1: float
    iou: float
    found: float
    """The share of defective images whose regions meet the mask."""
    good_with_region: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    arguments = parser.parse_args()
    task = read_magnetic_tile(data_folder() / "mtd")[DISJOINT]
    detector = blemish.fit([s.path for s in task.train], groups=[s.group for s in task.train], seed=arguments.seed)
    inspected = inspect(detector, [sample for sample in task.test if sample.mask or not sample.label])
    rows = []
    for rate in RATES:
        calibration = blemish.calibrate(detector, false_rejects=rate).model.manifest.calibration
        whole = quality(inspected, calibration.map_threshold, calibration.map_extent, calibration)
        flat = quality(inspected, calibration.map_threshold, calibration.map_extent)
        cut = quality(inspected, calibration.map_threshold, calibration.map_threshold)
        rows.append(row(f"false rejects {rate:.0%}", calibration.map_threshold, calibration.map_extent, whole))
        rows.append(row("the same, never drawn in", calibration.map_threshold, calibration.map_extent, flat))
        rows.append(row("the same, ending there", calibration.map_threshold, calibration.map_threshold, cut))
    tried = [(threshold, quality(inspected, threshold, threshold)) for threshold in steps(inspected)]
    for name, (threshold, best) in {
        "best pixel F1 (oracle)": max(tried, key=lambda pair: pair[1].f1),
        "best region IoU (oracle)": max(tried, key=lambda pair: pair[1].iou),
    }.items():
        rows.append(row(name, threshold, threshold, best))
    header = ["map threshold", "value", "extent", "pixel F1", "region IoU", "defects met", "good with a region"]
    publish("regions", markdown_table(header, rows), seed=arguments.seed, keep=arguments.output)


def inspect(detector: blemish.Detector, tests: Sequence[Sample]) -> list[Inspected]:
    found = []
    for sample, result in zip(tests, detector.inspect_many([sample.path for sample in tests]), strict=True):
        assert result.anomaly_map is not None
        blank = np.zeros(result.anomaly_map.shape, bool)
        found.append(Inspected(result.anomaly_map, blank if sample.mask is None else read_mask(sample.mask)))
        print(f"{len(found)} of {len(tests)}", end="\r", file=sys.stderr)
    return found


def steps(inspected: Sequence[Inspected]) -> Doubles:
    middle = float(np.median([np.median(each.map_HW) for each in inspected]))
    return np.linspace(middle, max(float(each.map_HW.max()) for each in inspected), STEPS, endpoint=False)


def quality(
    inspected: Sequence[Inspected], threshold: float, extent: float, drawn_in_by: Calibration | None = None
) -> Quality:
    hits = alarms = missed = 0
    overlaps, good = [], []
    for each in inspected:
        rise = drawn_in(each.floor, drawn_in_by) if drawn_in_by else 0.0
        found_HW, regions = find_regions(each.map_HW, threshold, extent, rise)
        both = int((found_HW & each.mask_HW).sum())
        hits, alarms = hits + both, alarms + int(found_HW.sum()) - both
        missed += int(each.mask_HW.sum()) - both
        if each.mask_HW.any():
            overlaps.append(both / int((found_HW | each.mask_HW).sum()))
        else:
            good.append(bool(regions))
    return Quality(
        2 * hits / (2 * hits + alarms + missed),
        float(np.mean(overlaps)),
        float(np.mean(np.array(overlaps) > 0)),
        float(np.mean(good)),
    )


def row(name: str, threshold: float, extent: float, found: Quality) -> list[str]:
    shares = [f"{100 * share:.1f} %" for share in (found.f1, found.iou, found.found, found.good_with_region)]
    return [name, f"{threshold:.2f}", f"{extent:.2f}", *shares]


if __name__ == "__main__":
    main()
