"""blemish fit: good images in, a model file out."""

import os
from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.console import print_json, progress_bar, say
from blemish.cli.options import given, with_settings

__all__ = ["fit"]


@with_settings
def fit(
    images: Annotated[list[str], typer.Argument(help="Good images: folders, files, patterns, or one CSV.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write, such as part.blemish.")],
    json: Annotated[bool, typer.Option("--json", help="Print what was fitted as JSON.")] = False,
    **options: str | None,
) -> None:
    """Learn what good parts look like, and write it to a model file."""
    from blemish.errors import DataError
    from blemish.fitting import fit as fit_detector

    if not output.resolve().parent.is_dir():
        raise DataError(f"The folder {output.parent} for {output.name} does not exist; create it first.")
    if output.is_dir():
        raise DataError(f"{output} is a folder; name a file in it, such as {output / 'part.blemish'}.")
    if not os.access(output.resolve().parent, os.W_OK):
        raise DataError(f"The folder {output.parent} cannot be written; choose another for {output.name}.")
    paths, groups = _good_images(images)
    with progress_bar() as progress:
        detector = fit_detector(paths, groups=groups, progress=progress, **given(options))
    detector.save(output)
    info = detector.info()
    if json:
        print_json({"path": str(output), **info})
        return
    size = info["input"]
    say(f"{output}: {info['images']} good images at {size['height']}x{size['width']} (height x width)")
    say(f"{detector.method}; {detector.manifest.calibration}")


def _good_images(sources: list[str]) -> tuple[list[Path], list[str] | None]:
    """Expand what was named; a CSV gives the good images of its training split, and their groups."""
    from blemish.errors import DataError
    from blemish.images.samples import list_images, read_samples

    if len(sources) == 1 and sources[0].lower().endswith(".csv"):
        samples = [sample for sample in read_samples(Path(sources[0])) if sample.split == "train" and not sample.label]
        if not samples:
            raise DataError(f"{sources[0]} names no good image of split train; fill its columns label and split.")
        return [sample.path for sample in samples], [sample.group for sample in samples]
    return list_images(sources), None
