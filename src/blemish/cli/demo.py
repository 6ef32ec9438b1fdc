"""blemish demo: the whole job on real solar cells."""

from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.console import in_language, print_json, progress_bar, say, tell
from blemish.cli.next_step import tell_trades
from blemish.cli.options import Force

__all__ = ["demo"]


def demo(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the model, the page and the numbers.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Only copy cells into this new folder: good/, line/ and others of the quickstart."),
    ] = None,
    force: Force = False,
    json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Fit on 200 good solar cells (package elpv-dataset), inspect 250 others, and leave a page of overlays."""
    from blemish.errors import OptionError

    if (output is None) == (images is None):
        raise OptionError("Say where to write: --output FOLDER for the whole job, or --images FOLDER for images only.")
    if images:
        _copy_images(images, json)
    elif output:
        _whole_job(output, force, json)


def _copy_images(folder: Path, json: bool) -> None:
    from blemish.cli.demo_images import write_demo_images

    counts = write_demo_images(folder)
    if json:
        print_json(counts)
        return
    for name, count in counts.items():
        tell(f"{folder / name}: {count} images")
    say(f"Next: cd {folder}, then blemish fit good/ -o part.blemish")


def _whole_job(output: Path, force: bool, json: bool) -> None:
    from blemish.cli.whole_job import FILES, run_demo
    from blemish.reports.page import figure
    from blemish.system.outputs import Outputs

    outputs = Outputs((), force=force)
    for name, kind in FILES.items():
        outputs.claim_below(output, [output / name], kind)
    with progress_bar() as progress:
        numbers, found = run_demo(output, progress=progress)
    if json:
        print_json(numbers)
        return
    for name, value in numbers.items():
        print(f"{in_language(name):<28} {figure(name, value)}")
    tell_trades(found, output / "solar-cells.blemish")
    say(f"Open {output / 'index.html'} in a browser to see the overlays.")
