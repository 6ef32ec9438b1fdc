"""The anomaly map: drawn from patch scores, joined over looks, its regions outlined and explained by good patches."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import cv2
import numpy as np

from blemish.arrays import Bools, Doubles, Floats, Ints
from blemish.images.training_image import TrainingImage
from blemish.images.transform import View, Viewer, patch_centres
from blemish.result import Box, Matches, Nearest, Region

__all__ = [
    "SHOWN",
    "WITHIN",
    "Reasons",
    "anomaly_map",
    "find_regions",
    "floor_of",
    "join_maps",
    "join_peaks",
    "map_score",
    "on_grid",
    "on_scale",
    "shares",
]

JoinRule = Literal["soft", "largest", "mean"]

WITHIN = 0.7
"""Regions never draw in farther than this share of the way from the extent to their own peak: at 0.9, a part that was
cracked all over showed a few dots; at 0.5, small pits in a wholly strange picture drowned."""

CALM = 0.05
"""The share of an image's map that its floor is taken from: the calmest twentieth."""
SHOWN = 3
"""The number of good patches that stand for a region."""


def on_grid(scores_Q: Floats, seen_hw: Bools) -> Floats:
    """Lay the scores of the cells that count on their grid (h x w); each other cell repeats its nearest one's."""
    if seen_hw.all():
        return scores_Q.reshape(seen_hw.shape)
    _, nearest_hw = cv2.distanceTransformWithLabels(
        (~seen_hw).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    score_of = np.zeros(int(nearest_hw.max()) + 1, np.float32)
    score_of[nearest_hw[seen_hw]] = scores_Q
    return np.asarray(score_of[nearest_hw])


def anomaly_map(scores_hw: Floats, height: int, width: int, sigma: float) -> Floats:
    """Resize patch scores bilinearly to height x width and blur them (PatchCore, section 3.3; sigma in pixels)."""
    resized = cv2.resize(scores_hw, (width, height), interpolation=cv2.INTER_LINEAR)
    if sigma > 0:
        reach = 2 * int(4 * sigma + 0.5) + 1
        resized = cv2.GaussianBlur(resized, (reach, reach), sigma, borderType=cv2.BORDER_REFLECT)
    return np.asarray(resized, np.float32)


def on_scale(map_HW: Floats, scale: tuple[float, float]) -> Floats:
    """The map of a look, less the mean of its scale and over its deviation; with the scale (0, 1) as it is.

    `scale` is mean and deviation of the peaks of good images that the look has not seen.
    """
    if scale == (0.0, 1.0):
        return map_HW
    mean, deviation = scale
    return np.asarray((map_HW - np.float32(mean)) / np.float32(deviation), np.float32)


def floor_of(map_HW: Floats) -> float:
    """What the calmest twentieth of a map does not exceed."""
    place = int(CALM * (map_HW.size - 1))
    return float(np.partition(map_HW, place, axis=None)[place])


def map_score(map_HW: Floats, overall: float) -> float:
    """What a map says of its image: its peak, and so much of its mean.

    A part that is a little strange all over has no high peak, and is strange all the same.
    """
    peak = float(map_HW.max())
    return peak if overall == 0 else peak + overall * float(map_HW.mean(dtype=np.float64))


def join_maps(maps: Sequence[Floats], weights: Sequence[float], rule: JoinRule) -> Floats:
    """One map (H x W) from those of the looks, brought to one scale: at each pixel as `join_peaks` joins.

    The mean keeps what is flat flat, so that outlines follow the sharpest map; the soft largest is as coarse as the
    coarsest look.
    """
    maps_LHW = np.stack(maps)
    if rule == "mean":
        # Not by a product of matrices, for which a library would take all processors.
        return np.asarray(np.einsum("l,lhw->hw", np.float32(shares(weights)), maps_LHW), np.float32)
    largest_HW = maps_LHW.max(axis=0)
    if rule == "largest":
        return np.asarray(largest_HW)
    maps_LHW -= largest_HW  # no exponential can overflow
    np.exp(maps_LHW, out=maps_LHW)
    return np.asarray(largest_HW + np.log(maps_LHW.sum(axis=0)), np.float32)


def join_peaks(peaks: Sequence[float], weights: Sequence[float], rule: JoinRule) -> float:
    """One image score from what the looks' maps say (`map_score`), brought to one scale.

    The mean, by the looks' weights, is steadiest: what strikes every look a little is more than what strikes one look
    by chance. The soft largest is the logarithm of the sum of exponentials.
    """
    if rule == "mean":
        return float(shares(weights) @ np.asarray(peaks, np.float64))
    return float(np.logaddexp.reduce(peaks) if rule == "soft" else max(peaks))


def shares(weights: Sequence[float]) -> Doubles:
    """The weights as shares of their sum."""
    weights_L = np.array(weights, np.float64)
    return np.asarray(weights_L / weights_L.sum())


def find_regions(
    map_HW: Floats, threshold: float, extent: float | None = None, rise: float = 0.0
) -> tuple[Bools, list[Region]]:
    """Blobs of a map that pass its threshold, highest score first; NaN is never above.

    A blob is connected (8 neighbours) and reaches as far as the map stays above `extent`, by default the threshold;
    as in the hysteresis of Canny's edges (1986), a lower extent adds no blob and outlines more of each. `rise` draws
    each blob in: it ends so much above the extent, but at most WITHIN of the way from there to its own peak.
    """
    extent = threshold if extent is None else extent
    seen_HW = np.isfinite(map_HW)
    mask_HW = np.zeros(map_HW.shape, np.bool_)
    if not np.greater(map_HW, threshold, where=seen_HW, out=mask_HW).any():
        return mask_HW, []
    np.greater(map_HW, extent, where=seen_HW, out=mask_HW)
    if rise > 0:
        for blob in _blobs(map_HW, mask_HW):
            level = extent + min(rise, WITHIN * (blob.score - extent))
            mask_HW[blob.part][blob.inside & (map_HW[blob.part] <= level)] = False
    regions = []
    for blob in _blobs(map_HW, mask_HW):
        if blob.score > threshold:
            regions.append(blob.region())
        else:
            mask_HW[blob.part][blob.inside] = False
    return mask_HW, sorted(regions, key=lambda region: -region.score)


class _Blob(NamedTuple):
    """Connected pixels of a mask."""

    box: Box
    area: int
    part: tuple[slice, slice]
    """Its box, as places of the map."""
    inside: Bools
    """Its pixels in that box."""
    score: float
    """The highest value of the map there."""

    def region(self) -> Region:
        """The blob as a region, with its outline."""
        marked, offset = self.inside.astype(np.uint8), (self.box.x, self.box.y)
        contours, _ = cv2.findContours(marked, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=offset)
        outline = [(int(point[0][0]), int(point[0][1])) for point in contours[0]]
        return Region(self.box, self.area, self.score, outline)


def _blobs(map_HW: Floats, mask_HW: Bools) -> Iterator[_Blob]:
    """The connected parts of a mask; each stays what it is while others are taken out."""
    count, labels_HW, stats, _ = cv2.connectedComponentsWithStats(mask_HW.astype(np.uint8), connectivity=8)
    for label in range(1, count):
        x, y, width, height, area = (int(value) for value in stats[label])
        part = np.s_[y : y + height, x : x + width]
        inside = labels_HW[part] == label
        yield _Blob(Box(x, y, width, height), area, part, inside, float(map_HW[part][inside].max()))


class Reasons:
    """Says of one image's patches which good ones they are nearest to, in pixels of the images both were seen in."""

    def __init__(self, matches: Matches, view: View, viewer: Viewer, images: Sequence[TrainingImage]) -> None:
        """`view` is how the inspected image was looked at; viewer and images are those of the model."""
        self._matches = matches
        self._viewer = viewer
        self._images = images
        self._centres_Q2 = view.to_image_points(self._centres(matches.at_Q))

    def nearest(self) -> Nearest:
        """The good patch nearest to the most anomalous one."""
        return self._nearest(int(self._matches.distance_Q.argmax()))

    def explain(self, region: Region) -> Region:
        """The region with the good patches nearest to its own, those farthest from them first, each named once.

        A region so small that no patch has its centre there is spoken for by the patch nearest to its middle.
        """
        inside_Q = self._inside(region)
        if not inside_Q.any():
            box = region.box
            middle = np.array([box.x + box.width / 2, box.y + box.height / 2])
            inside_Q[((self._centres_Q2 - middle) ** 2).sum(axis=1).argmin()] = True
        inside = np.flatnonzero(inside_Q)
        inside = inside[np.argsort(-self._matches.distance_Q[inside], kind="stable")]
        good = np.stack([self._matches.image_Q[inside], self._matches.cell_Q[inside]], axis=1)
        first = np.sort(np.unique(good, axis=0, return_index=True)[1])[:SHOWN]
        return replace(region, nearest=[self._nearest(int(inside[number])) for number in first])

    def _inside(self, region: Region) -> Bools:
        """The patches whose centre lies in the region's outline."""
        box = region.box
        x_Q, y_Q = self._centres_Q2.T
        inside_Q = (x_Q >= box.x) & (x_Q < box.x + box.width) & (y_Q >= box.y) & (y_Q < box.y + box.height)
        outline = np.array(region.outline, np.int32)
        for number in np.flatnonzero(inside_Q):
            inside_Q[number] = cv2.pointPolygonTest(outline, (float(x_Q[number]), float(y_Q[number])), False) >= 0
        return np.asarray(inside_Q)

    def _nearest(self, number: int) -> Nearest:
        matches = self._matches
        image = self._images[matches.image_Q[number]]
        view = self._viewer.of_size(image.height, image.width, image.motion, image.path)
        x, y = view.to_image_points(self._centres(matches.cell_Q[[number]]))[0].tolist()
        at_x, at_y = self._centres_Q2[number].tolist()
        return Nearest(image.path, x, y, float(matches.distance_Q[number]), (at_x, at_y))

    def _centres(self, cells_P: Ints) -> Doubles:
        transform = self._viewer.transform
        return patch_centres(cells_P, self._matches.grid, transform.height, transform.width)
