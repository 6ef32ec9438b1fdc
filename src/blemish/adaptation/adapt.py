"""Adapt: a copy of the built-in network learns one product, and looks at it beside the plain one."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

import cv2
import numpy as np

from blemish.adaptation.made import Good
from blemish.arrays import Ints
from blemish.backbones.backbone import Manifest, choose_folder, list_backbones
from blemish.errors import BackboneError, DataError, OptionError
from blemish.images.sources import Images
from blemish.methods.good_images import GoodImages
from blemish.methods.patchcore import reductions
from blemish.options.given import FitOptions
from blemish.options.looks import LookOption
from blemish.options.recipe import as_toml, beside_settings, over_recipe
from blemish.options.settings import Resources, Settings, divide_options
from blemish.system.progress import Progress, Shown, shown
from blemish.system.stream import available_threads, stream
from blemish.tuning.grid import check_free, default_of
from blemish.tuning.measure import looked
from blemish.tuning.prepare import SomeGood, spread_good

__all__ = ["Adapted", "Pairs", "adapt", "product_pairs"]

MOST, FEWEST = 400, 10
"""Good images to learn from: at most, evenly spread, and at least."""


@dataclass(frozen=True)
class Adapted:
    """A network that has learnt one product, and how it looks at it."""

    network: Manifest
    """Of the network among the backbones of this machine."""
    looks: tuple[str, ...]
    """Those of the plain network, and the small ones once more by the one that has learnt."""
    good: int
    """How many good images it has learnt from."""
    settings: Settings
    """The options of `fit` that were given, without looks."""
    resources: Mapping[str, Any]
    """Those of the machine's resources that were given."""
    inspect: Mapping[str, Any]
    """The options of `inspect` in the recipe that was given."""

    def __repr__(self) -> str:
        return f"Adapted({self.network.name}, from {self.good} good images)"

    def recipe(self) -> str:
        """A recipe for `fit` that looks with both networks."""
        written = as_toml(self.settings.with_looks(self.looks), self.resources, self.inspect)
        return f"# Made by blemish adapt, with the network {self.network.name} of this machine.\n{written}"


def adapt(
    good: Images,
    name: str,
    *,
    groups: Sequence[str] | None = None,
    recipe: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Shown = None,
    **options: Unpack[FitOptions],
) -> Adapted:
    """Let a copy of the built-in network learn to tell made defects from what is good on this product.

    Takes a few minutes, and needs the extra [adapt]. The network is stored among the backbones of this machine; a
    model that is fitted with it holds it whole. After REB (arXiv 2308.12577); docs/adapting.md says what it brings.

    Args:
        good: Images of good parts, as `fit` takes them; at most 400, evenly spread, are learnt from.
        name: What the network is called among the backbones.
        groups: The part that each good image shows, as for `fit`.
        recipe: A file of options, as for `fit`; `options` win over it.
        overwrite: Whether a network of this name may be replaced.
        progress: As for `fit`.
        **options: Those of `fit`, but for the looks and the network, which are chosen.

    Returns:
        The network and the looks to fit with; its `recipe()` is a file for `fit`.

    Raises:
        BackboneError: The extra [adapt] is not installed, there is a network of this name, or it cannot be stored.
        OptionError: An option that adapt chooses by itself, or another method than patchcore.
        DataError: Fewer than 10 good images, or images of one part only.
        ImageError: An image cannot be read, or is of another kind than the others.
        TrainingError: The training diverged.
    """
    from blemish.adaptation.network import Training, learn, write_network

    given = over_recipe(recipe, options)
    settings, resources = divide_options(given)
    _check(settings, name, overwrite)
    with shown(progress) as report:
        pairs, looks = product_pairs(good, groups, settings, resources, report)
        training = Training(settings.seed, resources.threads or available_threads())
        network = learn(pairs, training, report)
    count = len(pairs.views)
    source = f"EfficientNet-Lite0, adapted to {count} good images by blemish adapt with seed {settings.seed}"
    manifest = write_network(network, name, source=source)
    again = [str(replace(LookOption.parse(look), network=name)) for look in _small(settings.with_looks(looks))]
    return Adapted(manifest, (*looks, *again), count, settings, *beside_settings(recipe, given, resources))


def _check(settings: Settings, name: str, overwrite: bool) -> None:
    check_free(settings, "adapt")
    if "backbone" in settings.asked():
        raise OptionError("Option backbone cannot be used with adapt, which starts from the built-in network.")
    choose_folder(None, name=name)
    if not overwrite and any(manifest.name == name for manifest in list_backbones()):
        raise BackboneError(
            f"There is a network {name!r} already, which recipes may name; give the new one another name (--save-as), "
            f"or let it be replaced (--force)."
        )


@dataclass(frozen=True)
class Pairs:
    """Draws a good image, and one of another part."""

    views: Sequence[Good]
    part_N: Ints

    def __call__(self, random: np.random.Generator) -> tuple[Good, Good]:
        number = int(random.integers(len(self.views)))
        others = np.flatnonzero(self.part_N != self.part_N[number])
        return self.views[number], self.views[int(random.choice(others))]


def product_pairs(
    good: Images, groups: Sequence[str] | None, settings: Settings, resources: Resources, progress: Progress
) -> tuple[Pairs, tuple[str, ...]]:
    """Pairs of good images as the small looks of `fit` see them, and all looks it takes. Raises as `adapt`."""
    sources, parts = spread_good(good, groups, MOST)
    _check_enough(parts)
    some = SomeGood.glanced(sources, parts, settings, resources, progress, stated=groups is not None)
    _check_enough(some.parts)
    looks = default_of(settings, some.kinds).looks
    seen = some.sized_by(settings.with_looks(looks), resources, progress)
    return Pairs(_small_views(seen), seen.part_N), looks


def _check_enough(parts: Sequence[str]) -> None:
    """Raise DataError unless images that show these parts, one each, are enough."""
    if len(parts) < FEWEST or len(set(parts)) < 2:
        raise DataError(
            f"{len(parts)} good images of {len(set(parts))} parts are too few to learn from; give {FEWEST} or more, of "
            f"several parts."
        )


def _small_views(good: GoodImages) -> list[Good]:
    """The good images as the small looks see them."""
    share = 1 / max(reductions(good.settings))

    def view(number: int) -> Good:
        sized, how = good.sized(number)
        looked_HW = looked(how, *sized.shape[:2]).astype(np.uint8)
        small_HWC, small_HW = (
            cv2.resize(each, None, fx=share, fy=share, interpolation=cv2.INTER_AREA) for each in (sized, looked_HW)
        )
        return Good(np.asarray(small_HWC), np.asarray(small_HW > 0))

    return list(stream(view, range(len(good)), threads=good.threads))


def _small(settings: Settings) -> list[str]:
    """The looks at the smallest size."""
    by = reductions(settings)
    return [look for look, reduction in zip(settings.looks, by, strict=True) if reduction == max(by)]
