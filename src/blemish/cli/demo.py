"""blemish demo: the whole job on real solar cells."""

from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.console import print_json, progress_bar, say

__all__ = ["demo"]


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the model, the page and the numbers.")],
    json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Fit on 200 good solar cells (package elpv-dataset), inspect 250 others, and leave a page of overlays."""
    from blemish.cli.whole_job import run_demo

    with progress_bar() as progress:
        numbers = run_demo(output, progress=progress)
    if json:
        print_json(numbers)
        return
    for name, value in numbers.items():
        print(f"{name:<28} {value:.4f}" if isinstance(value, float) else f"{name:<28} {value}")
    say(f"Open {output / 'index.html'} to look at the overlays.")
