"""blemish scan: which of the good images look defective, before they are fitted on."""

from pathlib import Path
from typing import Annotated

import typer

from blemish.cli.console import print_json, progress_bar, say
from blemish.cli.images import labelled_images
from blemish.cli.options import AcceptDamaged, Config, Force, Recursive, Taught, given, with_settings

__all__ = ["scan"]


@with_settings
def scan(
    images: Taught,
    overlays: Annotated[Path | None, typer.Option(help="Draw what looks defective into this folder.")] = None,
    cutoff: Annotated[
        float, typer.Option(min=0, help="Suspicion from which an image is listed; less lists more.")
    ] = 3.0,
    config: Config = None,
    recursive: Recursive = False,
    accept_damaged: AcceptDamaged = False,
    force: Force = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    **options: str | None,
) -> None:
    """List the good images that look defective, judged by all others; exit code 0: none, 3: some to check.

    Each line: suspicion (of good images, about 1.5 % lie above 3), score, path.
    """
    from blemish.options.recipe import over_recipe
    from blemish.reports.folders import OverlayFolder, claim_pictures
    from blemish.scanning import scan as scan_images
    from blemish.system.outputs import Outputs

    paths, groups = labelled_images(images, label=0, split="train", recursive=recursive)
    wanted = over_recipe(config, given(options) | ({"accept_damaged": True} if accept_damaged else {}))
    if overlays:
        claim_pictures(Outputs([*images, *paths], force=force), [(OverlayFolder, overlays)], paths)
    with progress_bar() as progress:
        found = scan_images(paths, groups=groups, cutoff=cutoff, progress=progress, **wanted)
    if overlays:
        folder = OverlayFolder(overlays, paths)
        for result in found.suspects:
            folder.add(result)
    rows = [
        {"suspicion": suspicion, **result.to_dict()}
        for result, suspicion in zip(found.suspects, found.suspicion, strict=True)
    ]
    if json:
        print_json(rows)
    else:
        for row in rows:
            print(f"{row['suspicion']:6.1f} {row['score']:9.4f} {row['path']}")
        if rows:
            say(f"{len(rows)} of {len(paths)} images look defective; look at them before you fit.")
        else:
            say(f"None of {len(paths)} images looks defective.")
    raise SystemExit(3 if rows else 0)
