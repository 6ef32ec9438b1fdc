"""blemish doctor: what this machine offers, or what is wrong with a data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.console import in_language, print_json, print_tree, progress_bar, say, tell
from blemish.cli.options import AcceptDamaged, Force, MaxPixels, Recursive

if TYPE_CHECKING:
    from blemish.diagnosis.data_set import Examination

__all__ = ["doctor"]

LISTED = 3
"""The number of groups of a finding, and of images in each, that are printed; --json lists all."""


def doctor(
    data: Annotated[
        str | None,
        typer.Argument(help="A folder of good images, an MVTec AD layout or a CSV; without it, the installation."),
    ] = None,
    groups: Annotated[Path | None, typer.Option(help="Write the proposed groups to this CSV, for blemish fit.")] = None,
    recursive: Recursive = False,
    accept_damaged: AcceptDamaged = False,
    max_pixels: MaxPixels = None,
    nodata: Annotated[str | None, typer.Option(help="Value of float pixels that were not measured.")] = None,
    force: Force = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Examine a data set before fitting, or this installation; exit code 2: something must be mended."""
    if data is None:
        _installation(groups, json)
        return
    from blemish.diagnosis.data_set import CSV_OF_GROUPS, examine_data
    from blemish.diagnosis.doctor import rules_of
    from blemish.system.outputs import Outputs

    rules = rules_of(accept_damaged=accept_damaged, max_pixels=max_pixels, nodata=nodata)
    if groups:
        Outputs([data], force=force).claim(groups, CSV_OF_GROUPS)
    with progress_bar() as progress:
        found = examine_data(data, rules=rules, recursive=recursive, progress=progress)
    if groups:
        found.write_groups(groups)
        say(f"{groups}: {len(found.samples)} images in the proposed groups")
    if json:
        print_json(found.to_dict())
    else:
        _print_examination(found)
    if found.must_mend:
        raise SystemExit(2)


def _installation(groups: Path | None, json: bool) -> None:
    from blemish.diagnosis.installation import examine_installation
    from blemish.errors import OptionError

    if groups:
        raise OptionError("--groups goes with a data set; name one: blemish doctor DATA --groups FILE.")
    found = examine_installation()
    if json:
        print_json(found)
    else:
        print_tree(found)
    if found["problems"]:
        raise SystemExit(2)


def _print_examination(found: "Examination") -> None:
    tell(
        f"{found.data}: {found.images} images, {found.good_to_fit} good ones for fitting, of about {found.parts} parts"
    )
    for finding in found.findings:
        kind, name = in_language("mend" if finding.mend else "advice"), in_language(finding.name)
        print(f"{kind:<7} {name}: {in_language(finding.sentence)}")
        for files in finding.files[:LISTED]:
            print(f"        {'  '.join(map(in_language, files[:LISTED]))}{'  ...' if len(files) > LISTED else ''}")
        if len(finding.files) > LISTED:
            tell(f"        ... {len(finding.files) - LISTED} more (--json lists all)")
    if not found.findings:
        tell("Nothing must be mended, and there is no advice.")
