"""blemish evaluate: how well a model separates labelled test images."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blemish.cli.cluster import ClusterAddress, reached
from blemish.cli.conducted import answer, elsewhere
from blemish.cli.console import in_language, print_json, progress_bar, tell
from blemish.cli.help import stacked
from blemish.cli.images import labelled_set
from blemish.cli.next_step import tell_trades
from blemish.cli.options import AcceptDamaged, Data, Defective, Good, Masks, MaxPixels, Provider, Seed, Threads, Trusted
from blemish.system.progress import Progress

if TYPE_CHECKING:
    from blemish.data.samples import Sample
    from blemish.detector import Detector
    from blemish.evaluation.evaluation import Evaluation

__all__ = ["evaluate"]

REMARK = 30
"""Columns of a remark; a wider one is broken at its comma."""


def evaluate(
    model: Annotated[Path, typer.Argument(help="A model file made by blemish fit.")],
    data: Data = None,
    good: Good = None,
    defective: Defective = None,
    masks: Masks = None,
    json: Annotated[bool, typer.Option("--json", help="Print the evaluation as JSON.")] = False,
    seed: Seed = 0,
    cluster: ClusterAddress = None,
    accept_damaged: AcceptDamaged = False,
    max_pixels: MaxPixels = None,
    trusted: Trusted = None,
    provider: Provider = "cpu",
    threads: Threads = None,
) -> None:
    """Measure a model on labelled images: AUROC, AP, F1-max (oracle), pixel AUROC, AUPRO, per defect type."""
    from rich.console import Console
    from rich.table import Table

    from blemish.detector import load
    from blemish.evaluation.trades import trades
    from blemish.system.address import place_of

    named = data, good, defective, masks
    away = elsewhere(cluster)
    work = partial(_found_and_measured, named) if away else partial(_measured, labelled_set(*named))
    detector = load(
        model,
        provider=provider,
        threads=threads,
        accept_damaged=accept_damaged,
        max_pixels=max_pixels,
        trusted=trusted,
    )
    with reached(cluster, threads=threads) as machines, progress_bar() as progress:
        evaluation = answer(partial(work, detector, seed), machines, progress)
    found = trades(detector, evaluation)
    if json:
        print_json({**evaluation.to_dict(), "points": [each.to_dict() for each in found]})
        return
    table = Table(*map(in_language, ("measure", "value", "")))
    for row in evaluation.rows():
        name, value, remark = map(in_language, row)
        table.add_row(name, value, stacked(remark, REMARK))
    Console().print(table)
    for note in evaluation.notes:
        tell(note)
    tell_trades(found, place_of(model))


def _found_and_measured(
    named: tuple[Path | None, Path | None, Path | None, Path | None],
    detector: "Detector",
    seed: int,
    *,
    cluster: Any,
    progress: Progress,
) -> "Evaluation":
    """Find the images where this runs, and measure."""
    return _measured(labelled_set(*named), detector, seed, cluster=cluster, progress=progress)


def _measured(
    samples: "list[Sample]", detector: "Detector", seed: int, *, cluster: Any, progress: Progress
) -> "Evaluation":
    from blemish.evaluation.run import evaluate

    return evaluate(detector, samples, seed=seed, progress=progress, cluster=cluster)
