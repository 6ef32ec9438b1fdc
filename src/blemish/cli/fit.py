"""blemish fit: good images in, a model file out."""

import os
from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.console import fail, print_json, progress_bar, say
from blemish.cli.images import labelled_images
from blemish.cli.options import Config, given, with_settings
from blemish.options.settings import divide_options
from blemish.options.takes import Panel

__all__ = ["fit"]


@with_settings
def fit(
    images: Annotated[list[str], typer.Argument(help="Good images: folders, files, patterns, or one CSV.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="The model file to write, such as part.blemish.", rich_help_panel=Panel.FIRST
        ),
    ],
    config: Config = None,
    save_config: Annotated[
        Path | None,
        typer.Option(help="Write the options that were asked for to this recipe.", rich_help_panel=Panel.FIRST),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was fitted as JSON.")] = False,
    **options: str | None,
) -> None:
    """Learn what good parts look like, and write it to a model file."""
    from blemish.errors import DataError
    from blemish.fitting import fit as fit_detector
    from blemish.options.recipe import Recipe, as_toml, read_recipe

    if not output.resolve().parent.is_dir():
        raise DataError(f"The folder {output.parent} for {output.name} does not exist; create it first.")
    if output.is_dir():
        raise DataError(f"{output} is a folder; name a file in it, such as {output / 'part.blemish'}.")
    if not os.access(output.resolve().parent, os.W_OK):
        raise DataError(f"The folder {output.parent} cannot be written; choose another for {output.name}.")
    paths, groups = labelled_images(images, label=0, split="train")
    recipe = read_recipe(config) if config else Recipe()
    wanted = recipe.fit | given(options)
    settings, resources = divide_options(wanted)
    if save_config:
        own = {name: value for name, value in dict(resources).items() if name in wanted}
        _save(save_config, as_toml(settings, own, recipe.inspect))
    state = resources.checkpoint or Path(f"{output}.training")
    try:
        with progress_bar() as progress:
            detector = fit_detector(paths, groups=groups, progress=progress, **wanted | {"checkpoint": state})
    except KeyboardInterrupt:
        if not state.exists():
            raise
        fail(f"Stopped; {state} keeps the training so far, and the same command goes on from there.")
    detector.save(output)
    state.unlink(missing_ok=True)
    info = detector.info()
    if json:
        print_json({"path": str(output), **info})
        return
    size = info["input"]
    say(f"{output}: {info['images']} good images at {size['height']}x{size['width']} (height x width)")
    say(f"{detector.model.method}; {detector.model.manifest.calibration}")


def _save(path: Path, recipe: str) -> None:
    from blemish.errors import OptionError
    from blemish.system.whole_file import write_whole

    try:
        write_whole(path, recipe.encode())
    except OSError as error:
        raise OptionError(f"The recipe {path} cannot be written: {error.strerror or error}.") from None
    say(f"{path}: the recipe of this fit")
