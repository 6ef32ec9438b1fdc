"""blemish adapt: good images in; a network that has learnt this product, and a recipe that looks with it, out."""

from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.console import print_json, progress_bar, say
from blemish.cli.images import labelled_images, retyped
from blemish.cli.options import Config, Force, NewRecipe, Recursive, Taught, given, with_settings
from blemish.options.takes import Panel
from blemish.system.outputs import typed

__all__ = ["adapt"]


@with_settings
def adapt(
    images: Taught,
    output: NewRecipe = Path("adapted.toml"),
    save_as: Annotated[
        str | None,
        typer.Option(
            help="Name of the network among the backbones; that of the recipe by default.", rich_help_panel=Panel.FIRST
        ),
    ] = None,
    config: Config = None,
    recursive: Recursive = False,
    force: Force = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was made as JSON.")] = False,
    **options: str | None,
) -> None:
    """Let a copy of the built-in network learn this product, in minutes (needs: pip install 'blemish[adapt]')."""
    from blemish.adaptation.adapt import adapt as adapt_network
    from blemish.options.recipe import RECIPE
    from blemish.system.outputs import Outputs
    from blemish.system.whole_file import write_whole

    paths, groups = labelled_images(images, label=0, split="train", recursive=recursive)
    Outputs([*images, *paths, *filter(None, [config])], force=force).claim(output, RECIPE)
    name = save_as or output.stem
    with progress_bar() as progress:
        adapted = adapt_network(
            paths, name, groups=groups, recipe=config, overwrite=force, progress=progress, **given(options)
        )
    write_whole(output, adapted.recipe().encode())
    if json:
        print_json({"path": str(output), "network": adapted.network.model_dump(), "looks": list(adapted.looks)})
        return
    again = retyped(images, recursive=recursive)
    say(f"{name} has learnt {adapted.good} good images: blemish fit {again} -o part.blemish --config {typed(output)}")
