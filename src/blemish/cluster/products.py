"""Many products at once: one fit each, side by side on the workers."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from glob import glob
from pathlib import Path
from typing import Any

from blemish.cluster.cluster import Cluster
from blemish.cluster.finished import Told, keep, kept, made_of
from blemish.errors import BlemishError, DataError
from blemish.fitting import fit
from blemish.images.matching import is_pattern, matching
from blemish.model.suspects import tell_left_out, tell_suspects
from blemish.system.address import Address, Place, place_of
from blemish.system.conducts import silently
from blemish.system.outputs import typed

__all__ = ["Product", "ProductFit", "fit_products", "products_of"]

GOOD = "good"
"""What the folder of a product's good images is often called, which names no product."""


@dataclass(frozen=True)
class Product:
    """One product: the folder of its good images, and the model file to write."""

    name: str
    images: Place
    model: Place


@dataclass(frozen=True)
class ProductFit:
    """What came of one fit."""

    product: Product
    images: int = 0
    threshold: float = float("nan")
    said: str = ""
    """What the threshold rests on and what was kept, a phrase for people."""
    error: str | None = None
    notes: Sequence[str] = ()
    """What is worth knowing about its images."""
    kept: bool = False
    """Whether its model was there already, of these images and options."""


def products_of(folders: Sequence[str], output: Place) -> list[Product]:
    """A product for each folder, named by what sets its path apart: a and b for `set/a/good` and `set/b/good`.

    Raises DataError where a folder is absent or comes twice.
    """
    paths = [path for folder in folders for path in _folders(folder)]
    for path in paths:
        if not path.is_dir():
            raise DataError(f"{path} is no folder; with --each, name one folder of good images for each product.")
    names = _apart([path.resolve().parts for path in paths])
    if len(set(names)) < len(names):
        raise DataError(f"The folder of {max(names, key=names.count)} is named twice; name each product once.")
    return [Product(name, path, output / f"{name}.blemish") for name, path in zip(names, paths, strict=True)]


def fit_products(
    products: Sequence[Product],
    options: Mapping[str, Any],
    cluster: Cluster | None = None,
    say: Callable[[str], None] = silently,
) -> Iterator[ProductFit]:
    """Fit each product and write its model, in order; one that fails says why, and the others go on.

    `options` are those of `fit`; on a cluster each fit has as many threads as a worker has. Models that are there, of
    these images and options, are kept: `say` is told how many.
    """
    found = {each.model: told for each in products if (told := kept(each.model, each.images, options))}
    if found:
        say(f"{len(found)} of {len(products)} models are there already, of these images and settings: they are kept.")
    fits = _fits([each for each in products if each.model not in found], options, cluster)
    for each in products:
        yield _told(each, found[each.model], kept=True) if each.model in found else next(fits)


def _fits(products: Sequence[Product], options: Mapping[str, Any], cluster: Cluster | None) -> Iterator[ProductFit]:
    """Fit each of these. What a model is made of is looked at before: images may change meanwhile."""
    asked = ((each, made_of(each.images, options)) for each in products)
    if cluster is None:
        return map(partial(_fit_one, options), asked)
    own = {**options, "threads": cluster.crew.threads}
    return map(_seen_here, cluster.stream(partial(_fit_one, own), asked, at_once=1))


def _seen_here(done: ProductFit) -> ProductFit:
    """The same, or that its model is not where this machine looks for it: a folder may be another on each machine."""
    if done.error or done.product.model.exists():
        return done
    return ProductFit(
        done.product,
        error=f"{done.product.model} was written by another machine to a folder of its own; name a folder for the "
        f"models that all machines share.",
    )


def _told(product: Product, told: Told, *, kept: bool = False) -> ProductFit:
    return ProductFit(product, told.images, told.threshold, told.said, notes=told.notes, kept=kept)


def _fit_one(options: Mapping[str, Any], asked: tuple[Product, str | None]) -> ProductFit:
    product, made = asked
    try:
        detector = fit(os.fspath(product.images), progress=False, **options)
        detector.save(product.model)
    except BlemishError as error:
        return ProductFit(product, error=str(error))
    named = tell_left_out(detector.journal, typed(product.model)), tell_suspects(detector.model)
    notes = (*detector.notes, *filter(None, named))
    told = Told(len(detector.manifest.images), detector.threshold, detector.model.method.size, notes)
    keep(product.model, detector.model, made, told)
    return _told(product, told)


def _folders(named: str) -> list[Place]:
    """The folder of this name, or those that a pattern names, where the shell has not expanded it."""
    place = place_of(named)
    if not is_pattern(place):
        return [place]
    if isinstance(place, Address):
        return [*sorted(matching(place, folders=True), key=str)] or [place]
    if place.is_dir():
        return [place]
    return [Path(found) for found in sorted(glob(named, recursive=True)) if os.path.isdir(found)] or [place]


def _apart(parts: Sequence[Sequence[str]]) -> list[str]:
    """Of each path, the parts between those that all begin with and those that all end with."""
    if len(parts) == 1:
        own = [part for part in parts[0] if part != GOOD]
        return own[-1:]
    begin = _same(parts)
    end = _same([each[begin:][::-1] for each in parts])
    return ["-".join(each[begin : len(each) - end]) for each in parts]


def _same(parts: Iterable[Sequence[str]]) -> int:
    """How many parts all begin with."""
    count = 0
    for together in zip(*parts, strict=False):
        if len(set(together)) > 1:
            break
        count += 1
    return count
