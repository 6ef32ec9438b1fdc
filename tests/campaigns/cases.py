"""What a campaign does: each method, with the options that take it another way, on one data set."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["CASES", "Case"]


@dataclass(frozen=True)
class Case:
    """One fit, and everything that is done with what it made."""

    name: str
    data: str
    options: dict[str, Any] = field(default_factory=dict)
    """Of `blemish.fit`."""
    given: str = "folder"
    """What it is given: a folder, or the images as paths with groups, bytes, arrays or 16-bit arrays; or a CSV, which
    only the command line reads."""
    needs: tuple[str, ...] = ()
    """Packages and networks without which it cannot run."""

    @property
    def method(self) -> str:
        return str(self.options.get("method", "patchcore"))


def patchcore(name: str, data: str = "mtd", /, *, given: str = "folder", needs: str = "", **options: Any) -> Case:
    return Case(f"patchcore, {name}", data, options, given, tuple(needs.split()))


def other(method: str, name: str, data: str = "mtd", /, *, needs: str = "", **options: Any) -> Case:
    title = f"{method}, {name}"
    return Case(title, data, {"method": method, **options}, needs=tuple(needs.split()))


def trained(method: str, name: str, /, *, needs: str = "", **options: Any) -> Case:
    """So short that the weights have moved, but learnt nothing."""
    return other(method, name, needs=f"torch {needs}", **{"size": 64, "epochs": 2, "seed": 1} | options)


RESNET18 = {"more_backbones": ["resnet18"]}

CASES = [
    patchcore("defaults", "mtd"),
    patchcore("defaults", "ped2"),
    patchcore("defaults", "bsd"),
    patchcore("paper", "mtd", preset="paper"),
    patchcore("paper", "bsd", preset="paper"),
    patchcore("command line, CSV with groups", given="csv"),
    patchcore("paths with groups, cross", given="groups", calibration="cross", folds=4),
    patchcore("bytes", given="bytes"),
    patchcore("arrays", given="arrays"),
    patchcore("16-bit arrays", given="codes"),
    patchcore("16-bit arrays, pixel range", given="codes", pixel_range=[5000, 60000]),
    patchcore("tiles", "bsd", size=[280, 688], tiles=448),
    patchcore("a bank for each tile", "bsd", size=[280, 688], tiles=448, tile_banks="each"),
    patchcore("native size, tiles", "ped2", size="native", tiles=320, coreset=500),
    patchcore("tiles, include", "ped2", size="native", tiles=320, include=["40,20,280x180"], image_score="top"),
    patchcore("include", "ped2", include=["40,20,280x180"]),
    patchcore("ignore", "ped2", ignore=["0,0,100x80", "200,60 300,80 240,200"]),
    patchcore("align shift", "bsd", align="shift"),
    patchcore("align rigid", "ped2", align="rigid"),
    patchcore("align rigid, include", "bsd", align="rigid", include=["100,40,800x380"]),
    patchcore("projection", projection=32),
    patchcore("float16 bank", bank_type="float16"),
    patchcore("radius", coreset=0.1, radius=25.0),
    patchcore("image score max", image_score="max"),
    patchcore("image score reweighted", image_score="reweighted", neighbours=5),
    patchcore("image score top", image_score="top", top=0.05),
    patchcore("memory budget", memory="4MB", coreset=0.05),
    patchcore("memory budget, float16 spill", memory="4MB", spill_type="float16"),
    patchcore("memory budget, projection", memory="4MB", projection=32),
    patchcore("calibration split", calibration="split", held_out=0.4),
    patchcore("calibration cross", calibration="cross", folds=3),
    patchcore("review band", false_rejects=0.05, confidence=0.5, review=0.2),
    patchcore("other patches", "ped2", taps=[1, 2], patch_size=5, patch_stride=2, merge="adaptive", sigma=2.0, seed=3),
    patchcore("stretch", "bsd", resize="stretch", size=[160, 320]),
    patchcore("crop", "ped2", resize="crop", size=192),
    patchcore("letterbox", "ped2", resize="letterbox", sigma=0.0),
    patchcore("not removable", removable=False),
    patchcore("ResNet-18", "mtd", needs="resnet18", backbone="resnet18"),
    patchcore("approximate search", needs="faiss-cpu", search="approximate", coreset=0.2),
    other("ensemble", "defaults", "mtd", needs="resnet18", **RESNET18),
    other("ensemble", "score max, size", "bsd", needs="resnet18", image_score="max", size=[160, 400], **RESNET18),
    other("padim", "defaults", "ped2"),
    other("padim", "defaults", "bsd"),
    other("padim", "paper", "ped2", preset="paper"),
    other("padim", "30 dimensions, stretch", "mtd", dimensions=30, resize="stretch"),
    other("spade", "defaults", "mtd"),
    other("spade", "paper, 10 images", "bsd", preset="paper", nearest_images=10),
    other("1-nn", "defaults", "mtd"),
    other("1-nn", "align shift, cross", "bsd", align="shift", calibration="cross"),
    trained("differnet", "2 epochs"),
    trained("ganomaly", "2 epochs"),
    trained("cavga", "2 epochs"),
    trained("cavga", "2 epochs, encoder", needs="weights", encoder="resnet18.safetensors"),
]
