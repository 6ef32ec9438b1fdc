"""What the papers print, in percent, as far as it is known; the source of each number stands beside it.

PatchCore: Roth et al., CVPR 2022 (arXiv 2106.08265), with WideResNet-50 unless said otherwise.
"""

from typing import NamedTuple

__all__ = ["FIGURE_6", "MSTC", "MTD", "MVTEC_CLASSES", "Printed"]


class Printed(NamedTuple):
    """A printed figure, and its printed spread over runs where there is one."""

    value: float
    spread: float | None = None

    def __str__(self) -> str:
        return f"{self.value:g}" if self.spread is None else f"{self.value:g} ± {self.spread:g}"


MTD = {
    "PatchCore-10": Printed(97.9),
    "DifferNet": Printed(97.7),
    "1-NN": Printed(80.0),
    "GANomaly": Printed(76.6),
}
"""Table 6, Magnetic Tile Defects, image AUROC; the lower three are from DifferNet's paper."""

MSTC = {
    "PatchCore-10": Printed(91.8),
    "PaDiM": Printed(91.2),
    "SPADE": Printed(89.9),
    "CAVGA-R_u": Printed(85.0),
}
"""Table 6, subsampled ShanghaiTech Campus, pixel AUROC; PaDiM's is with ResNet-18."""

_FIGURE_6 = """
SPADE | image AUROC | 71.6 0.7 | 75.2 1.5 | 78.9 0.9 | 81.1 0.4
PaDiM | image AUROC | 76.1 0.4 | 81.0 0.2 | 85.5 0.6 | 90.1 0.3
PatchCore-25 | image AUROC | 84.1 0.7 | 91.0 0.9 | 95.5 0.6 | 97.7 0.4
SPADE | pixel AUROC | 91.9 0.3 | 94.5 0.1 | 95.7 0.2 | 96.2 0.0
PaDiM | pixel AUROC | 88.2 0.3 | 92.5 0.1 | 94.8 0.1 | 96.3 0.0
PatchCore-25 | pixel AUROC | 92.4 0.3 | 94.8 0.1 | 96.8 0.3 | 97.7 0.0
SPADE | PRO | 83.5 0.4 | 88.3 0.2 | 90.1 0.2 | 90.8 0.1
PaDiM | PRO | 72.4 1.2 | 82.7 0.2 | 87.5 0.2 | 90.4 0.1
PatchCore-25 | PRO | 83.7 0.5 | 88.8 0.2 | 91.7 0.1 | 92.8 0.0
"""
FIGURE_6: dict[tuple[str, str, int], Printed] = {
    (system, metric, shots): Printed(*map(float, cell.split()))
    for system, metric, *cells in (line.split(" | ") for line in _FIGURE_6.strip().splitlines())
    for shots, cell in zip((1, 5, 16, 50), cells, strict=True)
} | {("DifferNet", "image AUROC", 16): Printed(87.3)}
"""Figure 6 and table S5: means over the classes of MVTec AD by system, metric and number of good images."""

_METRICS = ("image AUROC", "pixel AUROC", "PRO")
_COLUMNS = [(f"PatchCore-{percent}", metric) for percent in (25, 10, 1) for metric in _METRICS]
_ROWS = """
bottle 100 98.6 96.2 100 98.6 96.1 100 98.5 95.9
cable 99.5 98.4 92.5 99.4 98.5 92.6 99.3 98.2 91.6
capsule 98.1 98.8 95.5 97.8 98.9 95.5 98.0 98.8 95.5
carpet 98.7 99.0 96.6 98.7 99.1 96.6 98.0 98.9 96.5
grid 98.2 98.7 96.0 97.9 98.7 95.9 98.6 98.6 96.1
hazelnut 100 98.7 93.8 100 98.7 93.9 100 98.6 93.8
leather 100 99.3 98.9 100 99.3 98.9 100 99.3 98.9
metal_nut 100 98.4 91.4 100 98.4 91.3 99.7 98.4 91.2
pill 96.6 97.4 93.2 96.0 97.6 94.1 97.0 97.1 92.9
screw 98.1 99.4 97.9 97.0 99.4 97.9 96.4 99.2 97.1
tile 98.7 95.6 87.3 98.9 95.9 87.4 99.4 96.1 88.3
toothbrush 100 98.7 91.5 99.7 98.7 91.4 100 98.5 90.2
transistor 100 96.3 83.7 100 96.4 83.5 99.9 94.9 81.2
wood 99.2 95.0 89.4 99.0 95.1 89.6 99.2 95.1 89.5
zipper 99.4 98.8 97.1 99.5 98.9 97.1 99.2 98.8 97.0
mean 99.1 98.1 93.4 99.0 98.1 93.5 99.0 98.0 93.1
"""
MVTEC_CLASSES: dict[tuple[str, str, str], Printed] = {
    (category, *column): Printed(float(cell))
    for category, *cells in (line.split() for line in _ROWS.strip().splitlines())
    for column, cell in zip(_COLUMNS, cells, strict=True)
}
"""Tables S1 to S3, by category, system and metric; the means are those of tables 1 to 3."""
