"""blemish info: what a model is."""

from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.console import print_json, print_tree, tell
from blemish.cli.options import Provider, Trusted

__all__ = ["info"]


def info(
    model: Annotated[Path, typer.Argument(help="A model file made by blemish fit.")],
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    recipe: Annotated[bool, typer.Option("--recipe", help="Print its recipe, for blemish fit --config.")] = False,
    trusted: Trusted = None,
    provider: Provider = "cpu",
) -> None:
    """Print what a model was fitted on, how, its threshold, and which provider runs it."""
    from blemish.detector import load
    from blemish.options.recipe import as_toml

    detector = load(model, provider=provider, trusted=trusted)
    if recipe:
        print(as_toml(detector.manifest.settings), end="")
        return
    found = detector.info()
    if json:
        print_json(found)
    else:
        print_tree(found)
        tell(str(detector.manifest.calibration))
