"""blemish fit --each: one model for each product."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blemish.cli.console import in_language, print_json, progress_bar, say

if TYPE_CHECKING:
    from blemish.cluster.cluster import Cluster
    from blemish.cluster.products import Product, ProductFit
    from blemish.system.outputs import Outputs

__all__ = ["check_each", "claimed_products", "fit_each"]


def check_each(wanted: Mapping[str, Any], state: str | None, *, plan: bool) -> None:
    """Refuse what cannot be done for many products. Raises OptionError."""
    from blemish.errors import OptionError

    if state is not None:
        raise OptionError(
            "Option cluster_state cannot be used with --each, which writes every model when it is done; leave it out."
        )
    if plan:
        raise OptionError("Option plan cannot be used with --each: plan one product, and multiply; leave it out.")
    if wanted.get("checkpoint") not in (None, "none"):
        raise OptionError(
            "Option checkpoint cannot be used with --each, whose fits would share the file; leave it out."
        )
    if wanted.get("suspects") == "ask":
        raise OptionError("Option suspects=ask cannot be used with --each, which asks nothing; give keep or drop.")


def claimed_products(folders: Sequence[str], output: Path, outputs: "Outputs") -> "list[Product]":
    """A product for each folder, whose model may be written. Raises DataError."""
    from blemish.cluster.products import products_of
    from blemish.errors import DataError
    from blemish.model.file import MODEL_FILE

    if not output.is_dir():
        raise DataError(f"{output} is no folder; with --each, name one for the models, which is there.")
    products = products_of(folders, output)
    for product in products:
        outputs.claim(product.model, MODEL_FILE)
    return products


def fit_each(
    products: "Sequence[Product]", options: Mapping[str, Any], cluster: "Cluster | None", *, json: bool
) -> int:
    """Fit one model for each product and tell of each; the exit code: 2 where one failed."""
    from blemish.cluster.products import fit_products

    done = []
    with progress_bar() as progress:
        for number, each in enumerate(fit_products(products, options, cluster), start=1):
            done.append(each)
            progress("products", number, len(products))
            if not json:
                _tell(each)
    if json:
        print_json(list(map(_row, done)))
    return 2 if any(each.error for each in done) else 0


def _tell(done: "ProductFit") -> None:
    from blemish.errors import printable

    told = in_language(done.error) if done.error else f"{done.images} images, {done.said}"
    print(f"{printable(str(done.product.model))}: {told}")
    for note in done.notes:
        say(note)


def _row(done: "ProductFit") -> dict[str, Any]:
    return {
        "product": done.product.name,
        "path": str(done.product.model),
        "images": done.images,
        "threshold": None if done.error else done.threshold,
        "error": done.error,
        "notes": list(done.notes),
    }
