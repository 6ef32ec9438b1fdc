"""blemish report: an evaluation as one HTML file to hand on."""

from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.console import progress_bar, report_language, say
from blemish.cli.images import labelled_set
from blemish.cli.options import (
    AcceptDamaged,
    Data,
    Defective,
    Force,
    Good,
    Masks,
    MaxPixels,
    Provider,
    Seed,
    Threads,
    Trusted,
)

__all__ = ["report"]


def report(
    model: Annotated[Path, typer.Argument(help="A model file made by blemish fit.")],
    data: Data = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.")] = Path("report.html"),
    good: Good = None,
    defective: Defective = None,
    masks: Masks = None,
    seed: Seed = 0,
    force: Force = False,
    accept_damaged: AcceptDamaged = False,
    max_pixels: MaxPixels = None,
    trusted: Trusted = None,
    provider: Provider = "cpu",
    threads: Threads = None,
) -> None:
    """Evaluate a model and write one HTML file of it, to open in any browser: data, model, threshold, curves, cases.

    It is written in the language of --lang, or of the locale.
    """
    from blemish.detector import load
    from blemish.reports.html import PAGE
    from blemish.reports.reporting import report as write
    from blemish.system.outputs import Outputs

    samples = labelled_set(data, good, defective, masks)
    inputs = [model, *filter(None, [data]), *(path for s in samples for path in (s.path, s.mask) if path)]
    Outputs(inputs, force=force).claim(output, PAGE)
    detector = load(
        model,
        provider=provider,
        threads=threads,
        accept_damaged=accept_damaged,
        max_pixels=max_pixels,
        trusted=trusted,
    )
    folders = {"good": good, "defective": defective, "masks": masks}
    with progress_bar() as progress:
        found = write(
            detector, data, output, **folders, model=model, language=report_language(), seed=seed, progress=progress
        )
    say(f"{output}: {len(found.predictions)} images, {output.stat().st_size / 1e6:.1f} MB; open it in a browser.")
