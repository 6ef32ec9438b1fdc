"""blemish fit --each: one model for each product."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blemish.cli.conducted import Work, answers
from blemish.cli.console import in_language, print_json, progress_bar, say
from blemish.system.progress import Progress

if TYPE_CHECKING:
    from blemish.cluster.cluster import Cluster
    from blemish.cluster.conductor import Conductor
    from blemish.cluster.products import Product, ProductFit
    from blemish.system.outputs import Outputs

__all__ = ["check_each", "each_work", "fit_each"]


def check_each(wanted: Mapping[str, Any], state: str | None, *, plan: bool) -> None:
    """Refuse what cannot be done for many products. Raises OptionError."""
    from blemish.errors import OptionError

    if state is not None:
        raise OptionError(
            "Option cluster_state cannot be used with --each, which keeps every model that is done; leave it out."
        )
    if plan:
        raise OptionError("Option plan cannot be used with --each: plan one product, and multiply; leave it out.")
    if wanted.get("checkpoint") not in (None, "none"):
        raise OptionError(
            "Option checkpoint cannot be used with --each, whose fits would share the file; leave it out."
        )
    if wanted.get("suspects") == "ask":
        raise OptionError("Option suspects=ask cannot be used with --each, which asks nothing; give keep or drop.")


def each_work(folders: Sequence[str], output: Path, outputs: "Outputs", *, force: bool, away: bool) -> Work:
    """What fits each product, with the options of all: products are found here, or where the work is done."""
    if away:
        return partial(_each_there, folders, output, force)
    return partial(_each_of, _claimed_products(folders, output, outputs))


def _claimed_products(folders: Sequence[str], output: Path, outputs: "Outputs") -> "list[Product]":
    """A product for each folder, whose model may be written. Raises DataError."""
    from blemish.cluster.products import products_of
    from blemish.errors import DataError
    from blemish.model.file import MODEL_FILE
    from blemish.system.address import place_of

    place = place_of(output)
    if isinstance(place, Path) and not place.is_dir():
        raise DataError(f"{output} is no folder; with --each, name one for the models, which is there.")
    products = products_of(folders, place)
    for product in products:
        outputs.claim(product.model, MODEL_FILE)
    return products


def _each_there(
    folders: Sequence[str],
    output: Path,
    force: bool,
    options: Mapping[str, Any],
    *,
    cluster: "Cluster | None",
    progress: Progress,
) -> "Iterator[ProductFit]":
    """Find the products where this runs, and fit each."""
    from blemish.system.outputs import Outputs

    products = _claimed_products(folders, output, Outputs(folders, force=force))
    return _each_of(products, options, cluster=cluster, progress=progress)


def _each_of(
    products: "Sequence[Product]", options: Mapping[str, Any], *, cluster: "Cluster | None", progress: Progress
) -> "Iterator[ProductFit]":
    """Fit one model for each product."""
    from blemish.cluster.products import fit_products

    for number, each in enumerate(fit_products(products, options, cluster, say), start=1):
        yield each
        progress("products", number, len(products))


def fit_each(work: Work, machines: "Cluster | Conductor | None", *, json: bool) -> int:
    """Let the work fit each product, and tell of each; the exit code: 2 where one failed."""
    done = []
    with progress_bar() as progress:
        for each in answers(work, machines, progress):
            done.append(each)
            if not json:
                _tell(each)
    if json:
        print_json(list(map(_row, done)))
    return 2 if any(each.error for each in done) else 0


def _tell(done: "ProductFit") -> None:
    from blemish.errors import printable

    told = done.error or f"{done.images} good images, {done.said}, threshold {done.threshold:.4g}"
    print(f"{printable(str(done.product.model))}: {in_language(told)}")
    for note in done.notes:
        say(note)


def _row(done: "ProductFit") -> dict[str, Any]:
    return {
        "product": done.product.name,
        "path": str(done.product.model),
        "images": done.images,
        "threshold": None if done.error else done.threshold,
        "kept": done.kept,
        "error": done.error,
        "notes": list(done.notes),
    }
