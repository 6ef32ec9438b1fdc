"""What the commands do on several machines: fit, fit one model for each product, inspect."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blemish.cli.console import in_language, print_json, progress_bar, say
from blemish.options.takes import Panel

if TYPE_CHECKING:
    from blemish.cluster.cluster import Cluster
    from blemish.detector import Detector
    from blemish.export.artefact import Artefact
    from blemish.options.recipe import InspectOptions
    from blemish.result import Result, Verdict

__all__ = [
    "ClusterAddress",
    "ClusterState",
    "Parquet",
    "check_rows_only",
    "fit_each",
    "inspect_to_parquet",
    "inspected",
    "reached",
]

ClusterAddress = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Work on a Ray cluster: local (all of this machine), auto (the one this runs in), or HOST:PORT.",
        rich_help_panel=Panel.MACHINE,
    ),
]
ClusterState = Annotated[
    str | None,
    typer.Option(
        metavar="PLACE",
        help="With --cluster: a folder or bucket that keeps what was done, so that the same command goes on.",
        rich_help_panel=Panel.MACHINE,
    ),
]
Parquet = Annotated[
    str | None,
    typer.Option(
        metavar="PLACE",
        help="With --cluster: write the rows to Parquet files in this folder or bucket; parts that are there are kept.",
    ),
]


@contextmanager
def reached(address: str | None, state: str | None = None, threads: int | None = None) -> "Iterator[Cluster | None]":
    """The cluster while the block runs; None where none was asked for. Raises OptionError."""
    from blemish.errors import OptionError

    if address is None:
        if state is not None:
            raise OptionError("Option cluster_state needs --cluster, whose work it keeps; leave it out.")
        yield None
        return
    from blemish.cluster.cluster import connect

    with connect(address, processors=threads if address == "local" else None, checkpoint=state) as cluster:
        yield cluster
        if cluster.crew.lost:
            say(f"{cluster.crew.lost} worker(s) of the cluster died and were replaced; the result is the same.")


def fit_each(
    folders: Sequence[str], output: Path, options: dict[str, Any], cluster: "Cluster | None", *, json: bool, force: bool
) -> int:
    """Fit one model for each folder and tell of each; the exit code: 2 where one failed."""
    from blemish.cluster.products import fit_products, products_of
    from blemish.errors import DataError, printable
    from blemish.model.file import MODEL_FILE
    from blemish.system.outputs import Outputs

    if not output.is_dir():
        raise DataError(f"{output} is no folder; with --each, name one for the models, which is there.")
    products = products_of(folders, output)
    outputs = Outputs(folders, force=force)
    for product in products:
        outputs.claim(product.model, MODEL_FILE)
    rows, failed = [], 0
    with progress_bar() as progress:
        for number, done in enumerate(fit_products(products, options, cluster), start=1):
            failed += done.error is not None
            progress("products", number, len(products))
            row = {"product": done.product.name, "path": str(done.product.model), "images": done.images}
            rows.append(row | {"threshold": None if done.error else done.threshold, "error": done.error})
            if not json:
                told = in_language(done.error) if done.error else f"{done.images} images, {done.said}"
                print(f"{printable(str(done.product.model))}: {told}")
    if json:
        print_json(rows)
    return 2 if failed else 0


def check_rows_only(
    address: str | None, parquet: str | None, wanted: "InspectOptions", detector: "Detector | Artefact"
) -> None:
    """Refuse what a cluster does not do when it inspects. Raises OptionError."""
    from blemish.detector import Detector
    from blemish.errors import OptionError

    if address is None:
        if parquet is not None:
            raise OptionError("Option parquet needs --cluster, whose machines write the files; --csv needs none.")
        return
    if not isinstance(detector, Detector):
        raise OptionError("Option cluster cannot be used with an export; use the model it was made from.")
    for name in ("overlays", "reasons", "masks"):
        if getattr(wanted, name) is not None:
            raise OptionError(
                f"Option {name} cannot be used with --cluster, which sends rows and no pictures; leave it out, and "
                f"draw the images that matter afterwards."
            )
    for name in ("csv", "regions", "jsonl"):
        if parquet is not None and getattr(wanted, name) is not None:
            raise OptionError(f"Give either parquet or {name}: the rows of --parquet stay where they are written.")


def inspected(cluster: "Cluster | None", detector: "Detector | Artefact", paths: Sequence[Path]) -> "Iterator[Result]":
    """The results of all images, in order, from this process or from the cluster."""
    from blemish.detector import Detector

    if cluster is None or not isinstance(detector, Detector):
        return detector.inspect_many(paths)
    from blemish.cluster.inspecting import inspect_many

    return inspect_many(cluster, detector, paths)


def inspect_to_parquet(
    cluster: "Cluster | None", detector: "Detector | Artefact", paths: Sequence[Path], place: str
) -> "Counter[Verdict]":
    """Inspect on the cluster, whose workers write the rows; the verdicts of all images."""
    from blemish.cluster.inspecting import inspect_to_parts
    from blemish.detector import Detector

    assert cluster is not None, "checked before"
    assert isinstance(detector, Detector), "checked before"
    counts: Counter[Verdict] = Counter()
    with progress_bar() as progress:
        for part in inspect_to_parts(cluster, detector, paths, place):
            counts += part
            progress("inspect", counts.total(), len(paths))
    return counts
