"""Fit a detector on good images: size, method, thresholds."""

import datetime
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from inspect import cleandoc
from typing import Unpack, cast

from blemish.arrays import Bools
from blemish.backbones.backbone import Backbone
from blemish.backbones.backbone import Manifest as BackboneManifest
from blemish.calibration.cross_fit import fit_and_hold_out, thresholds_of
from blemish.calibration.held_out import HeldOut, hold_out
from blemish.calibration.thresholds import Calibration, Mode, Wanted
from blemish.detector import Detector
from blemish.diagnosis.before_fit import noticed
from blemish.errors import DataError, ImageError, OptionError
from blemish.features.looks import PlannedLook
from blemish.images.glance import Glance
from blemish.images.held import Held
from blemish.images.motions import Row, all_of, misaligned, motion_of
from blemish.images.parts import glance_over, joined_parts, named_parts
from blemish.images.read import Source
from blemish.images.rules import Rules
from blemish.images.sources import Images, list_sources
from blemish.images.training_image import TrainingImage
from blemish.images.transform import Viewer
from blemish.methods.good_images import GoodImages, Workers, check_fits_elsewhere
from blemish.methods.method import Fitted, KeepsCandidates, Learner
from blemish.methods.prepare import good_images
from blemish.methods.registry import find_method
from blemish.model.manifest import FORMAT, ModelManifest
from blemish.model.model import Model
from blemish.model.suspects import marked, suspects, without_suspects
from blemish.options.given import FitOptions
from blemish.options.listing import list_options
from blemish.options.recipe import over_recipe
from blemish.options.settings import Resources, Settings, chosen
from blemish.system.blas import blas_threads
from blemish.system.conducts import Conducts, Once, only
from blemish.system.outputs import check_here
from blemish.system.progress import Progress, Shown, shown
from blemish.system.stream import available_threads, stream

__all__ = ["check_varied", "fit", "readable"]


def fit(
    images: Images,
    *,
    settings: Settings | None = None,
    recipe: str | os.PathLike[str] | None = None,
    groups: Sequence[str] | None = None,
    recursive: bool = False,
    progress: Shown = None,
    cluster: Workers | Conducts | None = None,
    **options: Unpack[FitOptions],
) -> Detector:
    """Learn what good looks like from images of good parts alone (Roth et al., CVPR 2022, sections 3.1 to 3.3).

    Args:
        images: A folder, a file pattern, or any number of paths, encoded bytes, Pillow images, arrays (H x W or
            H x W x 3 in RGB; uint8, uint16 or float32) and pairs (name, image), in a list or a generator; an array of
            N x H x W x 3 is N images, one of H x W x 3 is one.
        settings: In place of the options that are part of the model; beside it, only those of the machine
            (`threads`, `memory`, ...) can be given.
        recipe: A file of options, such as `blemish info --recipe` prints; `options` win over it.
        groups: The part that each image shows, where several show the same one; as many as there are images.
            Calibration never divides a group.
        recursive: Read the folders inside folders, too.
        progress: None shows bars or lines on stderr, False nothing; a function is called with step, done and total.
        cluster: Machines that do the work, from `blemish.connect`; images are then files that all of them can read,
            by the paths that they have there.
        **options: Those of `FitOptions`; help(blemish.fit) lists each with its type, meaning and default below.

    Returns:
        A detector with its threshold set.

    Raises:
        OptionError: An option has a value that cannot work.
        DataError: There are no images, too few, or all of them are identical.
        ImageError: An image cannot be read, or is of another kind than the others.
        BackboneError: The network is missing or damaged.
        ProviderError: The hardware asked for is not there.
        TrainingError: A method that trains diverged.
    """
    given = over_recipe(recipe, options)
    if isinstance(cluster, Conducts):
        named = named_files(images)
        call = partial(fit, named, settings=settings, groups=groups, recursive=recursive, **given)
        return only(cluster.conduct(Once(call), progress=progress))
    settings, resources = chosen(settings, given)
    if resources.spill_folder:
        check_here(resources.spill_folder)
    with shown(progress) as report, blas_threads(resources.threads or available_threads()):
        return _fit(
            list_sources(images, recursive=recursive),
            groups,
            settings,
            resources,
            report,
            size_asked="size" in given or "size" in settings.asked(),
            workers=cluster,
        )


def _fit(
    sources: Sequence[Source],
    groups: Sequence[str] | None,
    settings: Settings,
    resources: Resources,
    progress: Progress,
    *,
    size_asked: bool,
    workers: Workers | None = None,
) -> Detector:
    wanted = Wanted.of(settings)
    named = named_parts(sources, groups)
    threads = resources.threads or available_threads()
    if workers:
        _check_can_work(sources, settings)
    rules = Rules.of(accept_damaged=resources.accept_damaged, max_pixels=resources.max_pixels, nodata=settings.nodata)
    held = Held(resources.memory)
    elsewhere = partial(workers.glance, memory=resources.memory) if workers else None
    found = glance_over(sources, rules, threads=threads, progress=progress, held=held, elsewhere=elsewhere)
    glances = readable(found, _misaligned(sources, found, settings, rules, threads))
    part_of = joined_parts(glances, named, stated=groups is not None, threads=threads)
    kinds = [glance.kind for glance in glances]
    good = good_images(
        sources,
        kinds,
        settings,
        resources,
        progress,
        size_asked=size_asked,
        groups=part_of,
        rules=rules,
        held=held,
        workers=workers,
    )
    good = replace(good, contents=_contents(glances))
    settings = good.settings
    check_varied(glances)
    viewer = good.viewer
    motions = _motions(viewer, sources, held, workers, threads)
    learner = find_method(settings.method).learn(good)
    held_N = hold_out(part_of, settings, refits=learner.refits)
    fitted, seen = _learnt(learner, part_of, held_N, good, threads, progress)
    if workers:
        workers.release()
    mode: Mode = "split" if held_N.any() else "cross"
    held_out = seen.only(held_N) if mode == "split" else seen
    calibration = thresholds_of(held_out, part_of, wanted, mode)
    images = marked(_training_images(glances, part_of, learner.digests, motions, held_N), seen)
    manifest = _manifest(good, learner.grid, calibration, images)
    model = Model(manifest, fitted.method, fitted.graph, held_out)
    if settings.suspects == "drop" and suspects(manifest.images):
        model = without_suspects(model)
    return replace(_detector(model, resources, threads), notes=tuple(noticed(glances, part_of, named)))


fit.__doc__ = f"{cleandoc(fit.__doc__ or '')}\n\nOptions:\n\n{list_options()}\n"


def _motions(
    viewer: Viewer, sources: Sequence[Source], held: Held, workers: Workers | None, threads: int
) -> Sequence[Row | None]:
    """How each image lies against the first one, where images are aligned."""
    if viewer.aligner is None:
        return [None] * len(sources)
    motion = partial(motion_of, viewer.aligner, viewer.rules)
    decoded = (held.seen(number, source) for number, source in enumerate(sources))
    found = list(workers.stream(motion, sources) if workers else stream(motion, decoded, threads=threads))
    if errors := [each for each in found if isinstance(each, ImageError)]:
        raise all_of(errors, len(found), aligned=True)
    return [each for each in found if not isinstance(each, ImageError)]


def _learnt(
    learner: Learner, part_of: Sequence[str], held_N: Bools, good: GoodImages, threads: int, progress: Progress
) -> tuple[Fitted, HeldOut]:
    """The method, with candidates where images may leave it, and what images score that it has not seen."""
    at_once, each = good.transform.share(threads)
    fitted, seen = fit_and_hold_out(learner, part_of, held_N, good.settings, at_once, each, progress)
    if good.settings.removable and isinstance(learner, KeepsCandidates):
        fitted = learner.with_candidates(fitted, ~held_N, progress)
    return fitted, seen


def _manifest(
    good: GoodImages, grid: tuple[int, int], calibration: Calibration, images: list[TrainingImage]
) -> ModelManifest:
    return ModelManifest(
        format=FORMAT,
        method=good.settings.method,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        blemish=version("blemish"),
        settings=good.settings,
        transform=good.transform,
        places=good.viewer.places,
        aligner=good.viewer.aligner,
        grid=grid,
        backbone=good.backbone.manifest if good.backbone else None,
        more_backbones=tuple(_others(good.looks, good.backbone)),
        calibration=calibration,
        images=tuple(images),
    )


def _detector(model: Model, resources: Resources, threads: int) -> Detector:
    return Detector.of(
        model,
        provider=resources.provider,
        threads=threads,
        accept_damaged=resources.accept_damaged,
        max_pixels=resources.max_pixels,
    )


def _training_images(
    glances: Sequence[Glance],
    part_of: Sequence[str],
    digests: Sequence[str],
    motions: Sequence[tuple[float, ...] | None],
    held_N: Bools,
) -> list[TrainingImage]:
    """What the model keeps of each good image."""
    return [
        glance.remembered(part, pixels=digest, motion=motion, in_memory=not held)
        for glance, part, digest, motion, held in zip(glances, part_of, digests, motions, held_N.tolist(), strict=True)
    ]


def _contents(glances: Sequence[Glance]) -> str:
    return hashlib.sha256(b"".join(glance.digest for glance in glances)).hexdigest()


def _check_can_work(sources: Sequence[Source], settings: Settings) -> None:
    """Refuse what other machines cannot see, or do not do."""
    check_fits_elsewhere(settings)
    named_files(sources)


def named_files(images: Images) -> Images:
    """Folders, patterns and files as they were named. Raises OptionError for images that are no files."""
    if isinstance(images, str | os.PathLike):
        return images
    named = list(images) if isinstance(images, Iterable) else [images]
    if not all(isinstance(each, str | os.PathLike) for each in named):
        raise OptionError("Option cluster takes images as files that all machines can read; give their paths.")
    return cast(list[Source], named)


def readable(glances: Sequence[Glance | ImageError], misaligned: Sequence[ImageError] = ()) -> list[Glance]:
    """All glances. Raises ImageError, naming the first images, where some cannot be read, or aligned."""
    errors = [glance for glance in glances if isinstance(glance, ImageError)]
    if errors or misaligned:
        raise all_of([*errors, *misaligned], len(glances), aligned=bool(misaligned))
    return [glance for glance in glances if isinstance(glance, Glance)]


def _misaligned(
    sources: Sequence[Source], found: Sequence[Glance | ImageError], settings: Settings, rules: Rules, threads: int
) -> list[ImageError]:
    """Where a fit ends since images cannot be read: those that could not be aligned either, to be named with them."""
    sound = [source for source, glance in zip(sources, found, strict=True) if isinstance(glance, Glance)]
    if settings.align == "none" or len(sound) == len(found):
        return []
    return misaligned(sound, settings.align, rules, threads=threads)


def check_varied(glances: Sequence[Glance]) -> None:
    """Raise DataError where several images are all one and the same."""
    if len(glances) > 1 and len({glance.digest for glance in glances}) == 1:
        raise DataError(
            f"The {len(glances)} good images are identical to the last pixel; give images of different good parts, "
            f"which differ as parts on the line do."
        )


def _others(looks: Sequence[PlannedLook], backbone: Backbone | None) -> list[BackboneManifest]:
    """The networks of the looks beside the backbone, each once."""
    manifests = {look.backbone.manifest.sha256: look.backbone.manifest for look in looks}
    return [each for sha256, each in manifests.items() if backbone is None or sha256 != backbone.manifest.sha256]
