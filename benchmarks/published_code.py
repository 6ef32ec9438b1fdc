"""Agreement with the paper's own code, run unmodified on six Magnetic Tile images (ResNet-18, levels 2 and 3).

BLEMISH_DATA=... python benchmarks/published_code.py --backbone resnet18_tv
"""

import argparse

import numpy as np
from machine import data_folder, markdown_table, publish

from blemish.arrays import Array
from blemish.backbones.backbone import load_backbone
from blemish.features.graph import Grid, build_graph, choose_taps
from blemish.features.patches import Extractor
from blemish.images.read import read_image
from blemish.images.transform import Transform
from blemish.scoring.heatmap import anomaly_map
from blemish.search.exact import ExactSearch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet18_tv", help="ResNet-18 with the shared weights, exported")
    parser.add_argument("--output", action="store_true", help="keep the table under benchmarks/results")
    arguments = parser.parse_args()
    rows = [[name, f"{figure:.1e}", f"{bar:.0e}"] for name, figure, bar in differences(arguments.backbone)]
    publish(
        "published_code",
        markdown_table(["largest relative difference", "measured", "bar"], rows),
        seed=0,
        keep=arguments.output,
    )


def differences(backbone_name: str) -> list[tuple[str, float, float]]:
    """What differs, by how much, and what is allowed."""
    folder = data_folder()
    with np.load(folder.parent / "reference" / "patchcore_inspection_r18_mtd.npz") as file:
        published = dict(file)
    backbone = load_backbone(backbone_name)
    grid = Grid(choose_taps(backbone, [2, 3]), merge="adaptive")
    extract = Extractor(build_graph(backbone, {"patches": grid}), 224, 224)
    transform = Transform(height=224, width=224, resize="crop")

    def patches(path: str) -> Array:
        return extract(transform(read_image(folder / "mtd" / path), path)[0])["patches"].reshape(784, 1024)

    search = ExactSearch(np.concatenate([patches(str(path)) for path in published["train"]]))
    tests = [patches(str(path)) for path in published["test"]]
    # The published code's distances are squared.
    squared = [search.query(each)[0][:, 0].astype(np.float64) ** 2 for each in tests]
    peaks = np.array([each.max() for each in squared])
    maps = [anomaly_map(each.reshape(28, 28).astype(np.float32), 224, 224, 4.0)[::4, ::4] for each in squared]
    return [
        ("patch embeddings of the first image", relative(tests[0], published["embedding_first"]), 1e-4),
        (
            "image scores, not re-weighted",
            relative(peaks, published["scores"]),
            1e-4,
        ),
        ("anomaly maps", relative(np.array(maps), published["maps"]), 1e-3),
    ]


def relative(ours: Array, theirs: Array) -> float:
    """The largest difference, as a share of the largest value."""
    return float(np.abs(ours.astype(np.float64) - theirs).max() / np.abs(theirs).max())


if __name__ == "__main__":
    main()
