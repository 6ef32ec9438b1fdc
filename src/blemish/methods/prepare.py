"""Choose the network of a fit, and how all its images are looked at."""

from collections.abc import Sequence

import numpy as np

from blemish.backbones.backbone import Backbone, load_backbone
from blemish.errors import OptionError
from blemish.features.looks import plan_looks
from blemish.images.align import Aligner
from blemish.images.held import Held
from blemish.images.places import Places
from blemish.images.probe import ImageKind
from blemish.images.read import Source, read_image
from blemish.images.rules import USUAL, Rules
from blemish.images.sizing import choose_transform, looks_of_effort
from blemish.images.transform import Transform, Viewer
from blemish.methods.good_images import GoodImages, Workers
from blemish.methods.registry import find_method
from blemish.options.settings import Resources, Settings
from blemish.system.progress import Progress, silent

__all__ = ["good_images"]


def good_images(
    sources: Sequence[Source],
    kinds: Sequence[ImageKind],
    settings: Settings,
    resources: Resources,
    progress: Progress = silent,
    *,
    size_asked: bool,
    groups: Sequence[str] | None = None,
    rules: Rules = USUAL,
    held: Held | None = None,
    workers: Workers | None = None,
) -> GoodImages:
    """Choose the network, the looks and how all images are looked at.

    `size_asked` refuses a size the network would ignore; `groups` names the part of each image, by default its own;
    `rules` say how images are read; `held` has some of them decoded; `workers` look at them.
    """
    kind = find_method(settings.method)
    backbone = load_backbone(settings.backbone) if kind.needs_backbone else None
    if backbone and (size_asked or settings.tiles):
        _check_size(settings, backbone)
    fixed = backbone.manifest.size if backbone else None
    if settings.method == "patchcore" and not size_asked and fixed is None and not settings.looks:
        settings = settings.with_looks(looks_of_effort(settings, kinds))
    looks = plan_looks(settings, backbone) if backbone else []
    transform = choose_transform(sources, kinds, settings, fixed, kind.stride(settings, backbone), rules)
    viewer = _viewer(sources[0], kinds[0], transform, settings, rules)
    _, part_N = np.unique(range(len(sources)) if groups is None else groups, return_inverse=True)
    own = held or Held()
    return GoodImages(sources, viewer, settings, resources, backbone, looks, part_N, progress, own, workers)


def _check_size(settings: Settings, backbone: Backbone) -> None:
    """Refuse a size, or tiles, that a network of fixed size would ignore."""
    fixed = backbone.manifest.size
    if fixed is None:
        return
    asked = settings.size if isinstance(settings.size, tuple) else (settings.size, settings.size)
    for option, ignored in (("tiles", settings.tiles is not None), ("size", asked not in (fixed, ("auto", "auto")))):
        if ignored:
            raise OptionError(
                f"Option {option}={getattr(settings, option)} cannot be used: the network {backbone.manifest.name} "
                f"takes {fixed[0]}x{fixed[1]} only; leave {option} out."
            )


def _viewer(first: Source, kind: ImageKind, transform: Transform, settings: Settings, rules: Rules) -> Viewer:
    """Look at all images as at the first one: areas are drawn on it, and parts aligned to it."""
    places = Places.drawn(settings.include, settings.ignore, kind.height, kind.width)
    aligner = None if settings.align == "none" else Aligner.to(read_image(first, rules=rules), settings.align)
    return Viewer(transform, places, aligner, rules)
