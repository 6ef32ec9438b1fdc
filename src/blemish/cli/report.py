"""blemish report: an evaluation as one HTML file to hand on."""

from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.console import progress_bar, say
from blemish.cli.evaluate import labelled_samples

__all__ = ["report"]


def report(
    model: Annotated[Path, typer.Argument(help="A model file made by blemish fit.")],
    data: Annotated[
        Path | None, typer.Argument(help="A folder in the MVTec AD layout, or a CSV path,label,split,mask,group.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.")] = Path("report.html"),
    lang: Annotated[str, typer.Option(help="Language of its labels: en or ja.")] = "en",
    good: Annotated[Path | None, typer.Option(help="Instead of DATA: a folder of good images.")] = None,
    defective: Annotated[Path | None, typer.Option(help="Instead of DATA: a folder of defective images.")] = None,
    masks: Annotated[Path | None, typer.Option(help="Masks of the defective images, named like them.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws the bootstrap samples.")] = 0,
    provider: Annotated[str, typer.Option(help="Hardware that runs the network.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="Processors to use; all by default.")] = None,
) -> None:
    """Evaluate a model and write one HTML file of it, to open in any browser: data, model, threshold, curves, cases."""
    from blemish.detector import load
    from blemish.errors import DataError
    from blemish.evaluation.run import evaluate as measure
    from blemish.reports.report import write_report
    from blemish.reports.words import Words

    Words(lang)  # before anything long
    if not output.resolve().parent.is_dir():
        raise DataError(f"The folder {output.parent} for {output.name} does not exist; create it first.")
    samples = labelled_samples(data, good, defective, masks)
    detector = load(model, provider=provider, threads=threads)
    with progress_bar() as progress:
        evaluation = measure(detector, samples, seed=seed, progress=progress)
    named = str(data) if data else f"{good}, {defective}"
    write_report(output, detector, evaluation, model=model, data=named, language=lang, seed=seed)
    say(f"{output}: {len(evaluation.predictions)} images, {output.stat().st_size / 1e6:.1f} MB; open it in a browser.")
