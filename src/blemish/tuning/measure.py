"""What looks say of good, made and real defects: each look once, as pooled maps of which joins are then cheap."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from blemish.arrays import Array, Bools, Floats, Ints
from blemish.features.looks import PlannedLook, graph_of, grid_names, plan_looks
from blemish.features.patches import AnyExtractor, Features, ImagePatches, make_extractor, seen_patches
from blemish.images.read import Source, image_name, read_image
from blemish.images.transform import View
from blemish.memory.bank import Bank
from blemish.memory.choose import coreset_rows
from blemish.memory.coreset import greedy_coreset
from blemish.memory.spill import patch_store, take_rows
from blemish.memory.training import Gathering, TrainingPatches
from blemish.methods.good_images import GoodImages
from blemish.methods.look import Look
from blemish.methods.look_scale import OVERALL, look_unseen, with_row_scale
from blemish.methods.patchcore import compare
from blemish.scoring.heatmap import anomaly_map, map_score, on_grid
from blemish.system.stream import stream
from blemish.tuning.defects import Drawing, draw

__all__ = ["Job", "MeasuredLook", "looked", "measure"]

Each = TypeVar("Each")

CELLS = 64
"""The maps are pooled to so many cells along the longer side, each with its highest value."""
PATCHES = 100_000
"""A bank is chosen among so many patches at most, drawn evenly: which saves most of the time."""
TIMED = 5
"""Images that tell how long a look takes."""


@dataclass(frozen=True)
class MeasuredLook:
    """What one look says of all images: pooled maps (images, h, w), and milliseconds an image."""

    good_Nhw: Floats
    """Of the good images, each by a bank without its fold."""
    made_Mhw: Floats
    """Of the made defects, each by a bank without the fold of the good image it is drawn on."""
    real_Rhw: Floats
    network_ms: float
    """Of the whole family, which the network answers at once."""
    search_ms: float

    @property
    def scale(self) -> tuple[float, float]:
        """Mean and deviation of what the maps of good images say, as joins need them."""
        said_N = self.said(self.good_Nhw)
        return float(said_N.mean()), float(max(said_N.std(), 1e-6 * said_N.mean(), 1e-12))

    def said(self, maps_Nhw: Floats) -> Floats:
        """What each map says of its image, where looks are joined."""
        return np.array([map_score(map_hw, OVERALL) for map_hw in maps_Nhw], np.float32)


@dataclass(frozen=True)
class Job:
    """All that is looked at."""

    good: GoodImages
    """Their settings name all looks, so that they are sized for the largest one."""
    fold_N: Ints
    drawings: Sequence[Drawing]
    defective: Sequence[Source]

    def planned(self, family: Sequence[str]) -> list[PlannedLook]:
        """The looks of a family, averaged down from the size of the largest of all."""
        settings, backbone = self.good.settings, self.good.backbone
        assert backbone is not None, "PatchCore has one"
        planned = dict(zip(settings.looks, plan_looks(settings, backbone), strict=True))
        return [planned[look] for look in family]

    def defective_sized(self, number: int) -> tuple[Array, View]:
        source = self.defective[number]
        return self.good.viewer(read_image(source, rules=self.good.viewer.rules), image_name(source))

    def drawn(self, drawing: Drawing) -> tuple[Array, View]:
        """A good image with a made defect, which lies where images are looked at."""
        sized, view = self.good.sized(drawing.image)
        donor, _ = self.good.sized(drawing.donor)
        return draw(drawing, sized, donor, looked(view, *sized.shape[:2])), view


def measure(job: Job, family: Sequence[str]) -> dict[str, MeasuredLook]:
    """Measure the looks of one family: patches, bank, held-out maps of good images, maps of defects."""
    good = job.good
    planned = job.planned(family)
    graph = graph_of(planned, good.settings, good.transform.codes)
    names = grid_names(len(planned))
    patches = _gathered(good, graph, names)
    looks = [_look(good, patches[name], plan.reduction) for name, plan in zip(names, planned, strict=True)]
    folds = range(int(job.fold_N.max()) + 1)
    without = [[look.without(np.flatnonzero(job.fold_N == fold)) or look for fold in folds] for look in looks]

    def maps_of(features: Features, fold: int | None) -> list[Floats]:
        chosen = looks if fold is None else [each[fold] for each in without]
        return [_pooled(good, look, features[name]) for look, name in zip(chosen, names, strict=True)]

    extractor = _extractor(good, graph, threads=1)

    def seen(sized: Array, view: View) -> Features:
        return seen_patches(extractor(sized), view, good.transform)

    def of_good(number: int) -> list[Floats]:
        return maps_of({name: patches[name].of_image(number) for name in names}, int(job.fold_N[number]))

    def of_made(drawing: Drawing) -> list[Floats]:
        return maps_of(seen(*job.drawn(drawing)), int(job.fold_N[drawing.image]))

    def of_real(number: int) -> list[Floats]:
        return maps_of(seen(*job.defective_sized(number)), None)

    said = partial(_stacked, good, len(names))
    good_maps = said("good images", of_good, range(len(good)))
    made_maps = said("made defects", of_made, job.drawings)
    real_maps = said("defects", of_real, range(len(job.defective)))
    network_ms, search_ms = _timed(good, graph, names, looks)
    return {
        look: MeasuredLook(good_maps[number], made_maps[number], real_maps[number], network_ms, search_ms[number])
        for number, look in enumerate(family)
    }


def looked(view: View, height: int, width: int) -> Bools:
    """Which pixels of the input show what is looked at, in blocks of eight pixels."""
    cells_hw = view.cells((-(-height // 8), -(-width // 8)), height, width)
    return np.asarray(np.kron(cells_hw, np.ones((8, 8), np.bool_))[:height, :width])


def _extractor(good: GoodImages, graph: bytes, threads: int) -> AnyExtractor:
    size = good.transform.height, good.transform.width
    return make_extractor(graph, *size, provider=good.resources.provider, threads=threads)


def _gathered(good: GoodImages, graph: bytes, names: Sequence[str]) -> dict[str, TrainingPatches]:
    """The patches of all good images, look by look."""
    room = partial(patch_store, resources=good.resources)
    gatherings = {name: Gathering(len(good), room) for name in names}
    for number, features in enumerate(good.features(graph), start=1):
        for name, gathering in gatherings.items():
            gathering.add(features[name])
        good.progress("patches", number, len(good))
    return {name: gathering.patches() for name, gathering in gatherings.items()}


def _look(good: GoodImages, patches: TrainingPatches, reduction: int) -> Look:
    """A look over a coreset of patches drawn evenly, with the scale of its rows."""
    settings, total = good.settings, len(patches.image_N)
    among = np.sort(np.random.default_rng(settings.seed).permutation(total)[:PATCHES])
    rows = min(coreset_rows(total, settings.coreset, several_looks=True), len(among))
    drawn_ND = take_rows(patches.values_ND, among)
    coreset = greedy_coreset(drawn_ND, rows, seed=settings.seed, progress=good.progress, threads=good.threads)
    coreset = replace(coreset, indices=among[coreset.indices])
    look = Look.of(Bank.of(patches, coreset, settings.bank_type), settings, good.transform, reduction)
    unseen = look_unseen(look, patches, np.arange(len(good)), good.part_N, good.threads)
    return with_row_scale(look, unseen, good.threads)


def _pooled(good: GoodImages, look: Look, patches: ImagePatches) -> Floats:
    """The map whose peak counts, half as large as the input, pooled by its highest values."""
    scores_hw = on_grid(compare(look, patches, 1).over(look.bank.scale_K).scores_Q, patches.seen_hw)
    height, width = good.transform.height // 2, good.transform.width // 2
    map_HW = anomaly_map(scores_hw, height, width, good.settings.sigma * look.reduction / 2)
    step = -(-max(height, width) // CELLS)
    rows, columns = np.arange(0, height, step), np.arange(0, width, step)
    return np.asarray(np.maximum.reduceat(np.maximum.reduceat(map_HW, rows, axis=0), columns, axis=1))


def _stacked(
    good: GoodImages, looks: int, step: str, maps_of: Callable[[Each], list[Floats]], images: Sequence[Each]
) -> list[Floats]:
    """The maps of all images, one array a look."""
    answers = []
    for number, maps in enumerate(stream(maps_of, images, threads=good.threads), start=1):
        answers.append(maps)
        good.progress(step, number, len(images))
    return [np.array([maps[look] for maps in answers], np.float32) for look in range(looks)]


def _timed(good: GoodImages, graph: bytes, names: Sequence[str], looks: Sequence[Look]) -> tuple[float, list[float]]:
    """Milliseconds that network and searches take, one image at a time on all threads: the median of a few."""
    extractor = _extractor(good, graph, good.threads)
    times = []
    for number in range(1 + min(TIMED, len(good))):  # the first one warms up
        sized, view = good.sized(number % len(good))
        began = time.perf_counter()
        grids = extractor(sized)
        laps = [time.perf_counter() - began]
        features = seen_patches(grids, view, good.transform)
        for name, look in zip(names, looks, strict=True):
            began = time.perf_counter()
            compare(look, features[name], good.threads)
            laps.append(time.perf_counter() - began)
        times.append(laps)
    network, *searches = (1000 * np.median(np.array(times)[1:], axis=0)).tolist()
    return network, searches
