"""What the commands do on several machines: reach them, inspect on them, and refuse what they do not do."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.conducted import elsewhere
from blemish.cli.console import say
from blemish.options.takes import Panel
from blemish.system.progress import Progress

if TYPE_CHECKING:
    from blemish.cluster.cluster import Cluster
    from blemish.cluster.conductor import Conductor
    from blemish.detector import Detector
    from blemish.export.artefact import Artefact
    from blemish.options.recipe import InspectOptions
    from blemish.result import Result, Verdict
    from blemish.system.address import Place

__all__ = [
    "ClusterAddress",
    "ClusterState",
    "Parquet",
    "check_address",
    "check_rows_only",
    "inspected",
    "inspected_to_parquet",
    "reached",
]

ClusterAddress = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Work on a Ray cluster: local (all of this machine), auto (the one this runs in), HOST:PORT, or "
        "ray://HOST:PORT (from outside: paths are those of its machines).",
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


def check_address(
    address: str | None, state: str | None = None, threads: int | None = None, *, plan: bool = False
) -> None:
    """Refuse what goes without a cluster, or with this one. Raises OptionError."""
    from blemish.errors import OptionError

    if address is None and state is not None:
        raise OptionError("Option cluster_state needs --cluster, whose work it keeps; leave it out.")
    if address not in (None, "local") and threads is not None:
        raise OptionError(
            f"Option threads cannot be used with --cluster {address}, whose machines use all their processors; leave "
            f"it out."
        )
    if plan and elsewhere(address):
        raise OptionError(
            f"Option plan cannot be used with --cluster {address}: it measures the machine that it is typed on; run "
            f"it on one of the cluster's."
        )


@contextmanager
def reached(
    address: str | None, state: str | None = None, threads: int | None = None
) -> "Iterator[Cluster | Conductor | None]":
    """The cluster while the block runs; None where none was asked for. Raises OptionError."""
    check_address(address, state, threads)
    if address is None:
        yield None
        return
    from blemish.cluster.connecting import connect

    processors = threads if address == "local" else None
    with connect(address, processors=processors, checkpoint=state, say=say) as cluster:
        yield cluster
        if cluster.lost:
            say(f"{cluster.lost} worker(s) of the cluster died and were replaced; the result is the same.")


def check_rows_only(
    address: str | None,
    parquet: str | None,
    wanted: "InspectOptions",
    detector: "Detector | Artefact",
    *,
    json: bool = False,
    force: bool = False,
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
    if parquet is not None:
        _check_parts_only(wanted, json=json, force=force)


def _check_parts_only(wanted: "InspectOptions", *, json: bool, force: bool) -> None:
    """Refuse what needs rows here, and what parts are never written over."""
    from blemish.errors import OptionError

    asked = {name: getattr(wanted, name) is not None for name in ("csv", "regions", "jsonl")} | {"json": json}
    for name, given in asked.items():
        if given:
            raise OptionError(f"Give either parquet or {name}: the rows of --parquet stay where they are written.")
    if force:
        raise OptionError(
            "Option force cannot be used with --parquet, whose files are never written over; name another place."
        )


def inspected(
    detector: "Detector | Artefact", paths: "Sequence[Place]", *, cluster: "Cluster | None", progress: Progress
) -> "Iterator[Result]":
    """The results of all images, in order, from this process or from the cluster."""
    for number, result in enumerate(_results(detector, paths, cluster), start=1):
        yield result
        progress("inspect", number, len(paths))


def _results(
    detector: "Detector | Artefact", paths: "Sequence[Place]", cluster: "Cluster | None"
) -> "Iterator[Result]":
    from blemish.detector import Detector

    if cluster is None or not isinstance(detector, Detector):
        return detector.inspect_many(paths)
    from blemish.cluster.inspecting import inspect_many

    return inspect_many(cluster, detector, paths)


def inspected_to_parquet(
    detector: "Detector | Artefact",
    paths: "Sequence[Place]",
    *,
    place: str,
    cluster: "Cluster | None",
    progress: Progress,
) -> "Iterator[Counter[Verdict]]":
    """Inspect on the cluster, whose workers write the rows; the verdicts of each part."""
    from blemish.cluster.inspecting import inspect_to_parts
    from blemish.detector import Detector

    assert cluster is not None, "checked before"
    assert isinstance(detector, Detector), "checked before"
    done = 0
    for part in inspect_to_parts(cluster, detector, paths, place):
        yield part
        done += part.total()
        progress("inspect", done, len(paths))
