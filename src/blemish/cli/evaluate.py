"""blemish evaluate: how well a model separates labelled test images."""

from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.cluster import ClusterAddress, reached
from blemish.cli.console import in_language, print_json, progress_bar, tell
from blemish.cli.images import labelled_set
from blemish.cli.next_step import tell_trades
from blemish.cli.options import AcceptDamaged, Data, Defective, Good, Masks, MaxPixels, Provider, Seed, Threads, Trusted

__all__ = ["evaluate"]


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
    from blemish.evaluation.run import evaluate as measure
    from blemish.evaluation.trades import trades

    samples = labelled_set(data, good, defective, masks)
    detector = load(
        model,
        provider=provider,
        threads=threads,
        accept_damaged=accept_damaged,
        max_pixels=max_pixels,
        trusted=trusted,
    )
    with reached(cluster, threads=threads) as machines, progress_bar() as progress:
        evaluation = measure(detector, samples, seed=seed, progress=progress, cluster=machines)
    found = trades(detector, evaluation)
    if json:
        print_json({**evaluation.to_dict(), "points": [each.to_dict() for each in found]})
        return
    table = Table(*map(in_language, ("measure", "value", "")))
    for row in evaluation.rows():
        table.add_row(*map(in_language, row))
    Console().print(table)
    for note in evaluation.notes:
        tell(note)
    tell_trades(found, model)
