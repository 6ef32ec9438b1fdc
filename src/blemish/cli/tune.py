"""blemish tune: good images in, and perhaps a few defective ones; a recipe out."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.console import fail, in_language, print_json, progress_bar, say, tell
from blemish.cli.help import columns
from blemish.cli.images import labelled_images, retyped
from blemish.cli.options import Config, Force, NewRecipe, Recursive, Taught, given, with_settings
from blemish.options.takes import Panel
from blemish.system.outputs import typed

if TYPE_CHECKING:
    from blemish.tuning.outcome import Measured, Tuned

__all__ = ["tune"]


@with_settings
def tune(
    images: Taught,
    defective: Annotated[
        list[str],
        typer.Option(
            help="Defective images, a handful or more: a folder, file, pattern or CSV; again for several. Without "
            "any, defects are made.",
            rich_help_panel=Panel.FIRST,
        ),
    ] = [],  # noqa: B006 (typer reads it and never changes it)
    output: NewRecipe = Path("tuned.toml"),
    budget: Annotated[
        float | None,
        typer.Option(
            help="Milliseconds that an image may take here, read and scored alone.", rich_help_panel=Panel.FIRST
        ),
    ] = None,
    config: Config = None,
    recursive: Recursive = False,
    force: Force = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was measured as JSON.")] = False,
    **options: str | None,
) -> None:
    """Choose the looks that find most on these parts, and write them as a recipe; a stopped run goes on from there."""
    from blemish.options.recipe import RECIPE
    from blemish.system.outputs import Outputs
    from blemish.system.whole_file import write_whole
    from blemish.tuning.run import tune as tune_looks
    from blemish.tuning.state import STATE

    paths, groups = labelled_images(images, label=0, split="train", recursive=recursive)
    faulty, parts = (
        labelled_images(defective, label=1, split="test", recursive=recursive) if defective else (None, None)
    )
    outputs = Outputs([*images, *paths, *defective, *(faulty or []), *filter(None, [config])], force=force)
    outputs.claim(output, RECIPE)
    state = output.with_name(f"{output.name}.state")
    outputs.claim(state, STATE)
    try:
        with progress_bar() as progress:
            measure = partial(tune_looks, budget=budget, state=state, progress=progress)
            tuned = measure(paths, faulty, groups=groups, defective_groups=parts, recipe=config, **given(options))
    except KeyboardInterrupt:
        if not state.exists():
            raise
        fail(f"Stopped; {state} keeps what was measured so far, and the same command goes on from there.")
    write_whole(output, tuned.recipe().encode())
    if json:
        print_json({"path": str(output), **tuned.to_dict()})
        return
    _print(tuned)
    again = retyped(images, recursive=recursive)
    say(f"{output} holds the choice: blemish fit {again} -o part.blemish --config {typed(output)}")


def _print(tuned: "Tuned") -> None:
    """The candidates, the best first, and what the choice rests on."""
    from blemish.language.numbers import percent

    found, made, looks = (in_language(head) for head in ("found (95 %)", "made", "looks"))
    print(f"{'ms':>8}{' ' * (26 - columns(found))}{found}{' ' * (9 - columns(made))}{made}  {looks}")
    for each in tuned.measured:
        marks = ("*", tuned.chosen), ("d", tuned.default)
        print(_line(each, "".join(mark for mark, candidate in marks if each.candidate == candidate)))
    tell("*: the choice; d: the default of blemish fit.")
    tell("In the first line defects stand out most; the default is left only where that is more than chance.")
    if tuned.evidence == "real":
        tell(f"Found is the share of defects that are found where {percent(tuned.rate)} of good images are NG.")
        tell(f"Measured on {tuned.good} good and {tuned.defective} defective images.")
    else:
        tell(f"Made is the share of made defects that are found where {percent(tuned.rate)} of good images are NG.")
        tell(f"Measured on {tuned.good} good images and {tuned.defective} made defects.")
    if tuned.over_budget:
        tell(f"{tuned.over_budget} of {len(tuned.measured)} take longer than the budget and cannot be chosen.")
    kinds = next(each for each in tuned.measured if each.candidate == tuned.chosen).made_by
    shares = ", ".join(f"{in_language(word)} {percent(share)}" for word, share in kinds.items())
    tell(f"Made defects that the choice finds: {shares}.")
    if tuned.evidence == "made":
        tell("The choice rests on made defects alone, which may mislead; a few real ones (--defective) tell more.")
    elif tuned.found_by_choice is not None:
        share = percent(tuned.found_by_choice)
        tell(f"Where the choice is made without a defective part, it finds {share} of these parts.")


def _line(each: "Measured", mark: str) -> str:
    from blemish.language.numbers import percent

    found = "-"
    if each.found is not None and each.found_interval is not None:
        low, high = map(percent, each.found_interval)
        span = in_language(f"95 %: {low} to {high}").split(": ")[-1]
        found = f"{percent(each.found)} ({span})"
    return f"{mark:2}{each.ms:6.0f}  {found:>24}  {percent(each.made):>7}  {each.candidate}"
