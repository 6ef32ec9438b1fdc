"""Real patches for the kernels: Magnetic Tile images stretched to 224 x 224, in the order of train.txt."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from machine import data_folder
from PIL import Image

from blemish.arrays import Array, Floats
from blemish.backbones.backbone import load_backbone
from blemish.features.graph import Grid, build_graph, choose_taps
from blemish.features.patches import Extractor
from blemish.system.stream import available_threads

__all__ = ["test_paths", "tile_patches", "train_paths"]

SIDE = 224


def train_paths() -> list[Path]:
    """The 761 good images of the published split."""
    folder = data_folder() / "mtd"
    return [folder / line for line in (folder / "train.txt").read_text(encoding="utf-8").split()]


def test_paths() -> list[Path]:
    """Ten good and ten defective images that are not trained on."""
    folder, trained = data_folder() / "mtd", set(train_paths())
    good = [path for path in sorted((folder / "MT_Free" / "Imgs").glob("*.jpg")) if path not in trained]
    bad = sorted(path for path in folder.glob("MT_*/Imgs/*.jpg") if "MT_Free" not in path.parts)
    return good[:10] + bad[:: len(bad) // 10][:10]


def tile_patches(backbone_name: str, paths: list[Path], taps: list[str | int]) -> Floats:
    """Patches (N, d) of the images, 3 x 3 averages of the taps, concatenated."""
    backbone = load_backbone(backbone_name)
    graph = build_graph(backbone, {"patches": Grid(choose_taps(backbone, taps), patch_size=3, merge="concat")})
    extractor = Extractor(graph, SIDE, SIDE)

    def one(path: Path) -> Floats:
        with Image.open(path) as image:
            sized: Array = np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        patches_hwD = extractor(sized)["patches"]
        return patches_hwD.reshape(-1, patches_hwD.shape[2])

    with ThreadPoolExecutor(available_threads()) as pool:
        return np.concatenate(list(pool.map(one, paths)))
