"""blemish feedback: what the line teaches a model after it was fitted, and what it was taught."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from blemish.cli.commands import CommandLine
from blemish.cli.console import in_language, print_json, say
from blemish.cli.options import Provider, Recursive, Taught, Threads, Trusted
from blemish.cli.signed import say_unsigned

if TYPE_CHECKING:
    from blemish.detector import Detector
    from blemish.evaluation.consequences import Consequences
    from blemish.model.manifest import Change

__all__ = ["app"]

Changed = TypeVar("Changed", bound="Detector | None")

app = CommandLine(
    help="Add rejected good images to a model, take images out, undo and list changes. Nothing is fitted again.",
)

Model = Annotated[Path, typer.Argument(help="A model file made by blemish fit; it is changed in place.")]
Who = Annotated[str | None, typer.Option(help="Who makes the change; your user name by default.")]
Json = Annotated[bool, typer.Option("--json", help="Print the change as JSON.")]


@app.command()
def add(
    model: Model,
    images: Taught,
    defective: Annotated[
        list[str] | None, typer.Option(help="Images known to be defective (repeatable): would they pass?")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, even where images look defective.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    who: Who = None,
    json: Json = False,
    trusted: Trusted = None,
    recursive: Recursive = False,
    provider: Provider = "cpu",
    threads: Threads = None,
) -> None:
    """Add images of good parts to the memory bank, such as those rejected by mistake; each of them is OK afterwards.

    Asks first where an image looks defective, or where one of --defective that is found now would be OK.
    """
    from blemish.cli.images import labelled_images
    from blemish.evaluation.consequences import consequences

    paths, groups = labelled_images(images, label=0, split="train", recursive=recursive)
    defects, _ = labelled_images(defective, label=1, split="test", recursive=recursive) if defective else ([], None)

    def change(before: "Detector") -> "Detector | None":
        after = before.add(paths, groups=groups, who=who)
        return _agreed(after, consequences(before, after, paths, defects), yes=yes, dry_run=dry_run)

    _, after = _changed(model, change, trusted, provider, threads)
    if after is not None:
        _tell(model, after, json)


def _agreed(after: "Detector", found: "Consequences", *, yes: bool, dry_run: bool) -> "Detector | None":
    """The detector to write, after a word on what it does; None where nothing is to be written.

    Raises DataError where somebody would have to be asked, and nobody is there.
    """
    from blemish.errors import DataError

    for line in found.lines():
        say(line)
    if dry_run:
        say("Nothing was changed (--dry-run).")
        return None
    if not found.doubtful or yes:
        return after
    if not sys.stdin.isatty():
        raise DataError(
            f"{len(found.suspicious)} of the images look defective, and {len(found.flips)} known defective ones would "
            f"be OK. Look at them, then give --yes, or leave them out. Nothing was changed."
        )
    if typer.confirm("Put them into the memory all the same?", err=True):
        return after
    say("Nothing was changed.")
    return None


@app.command()
def remove(
    model: Model,
    images: Annotated[list[str], typer.Argument(help="Training images, as they were named at fit or when added.")],
    who: Who = None,
    json: Json = False,
    trusted: Trusted = None,
) -> None:
    """Take training images out of the memory bank and the calibration; their files may be gone."""
    _, after = _changed(model, lambda detector: detector.remove(images, who=who), trusted)
    _tell(model, after, json)


@app.command()
def undo(model: Model, json: Json = False, trusted: Trusted = None) -> None:
    """Undo the last change, bit for bit: of the memory bank, or by blemish calibrate."""
    before, after = _changed(model, lambda detector: detector.undo(), trusted)
    change = before.journal[-1]
    if json:
        print_json(_as_row(change))
        return
    say(f"{model}: this change is undone, and the threshold is {after.threshold:.4g} again.")
    say(_line(change))


@app.command()
def log(
    model: Annotated[Path, typer.Argument(help="A model file made by blemish fit.")],
    json: Json = False,
    trusted: Trusted = None,
) -> None:
    """List the changes: when, who, what, and which images; oldest first."""
    from blemish.model.file import read_model
    from blemish.system.address import place_of

    journal = read_model(place_of(model), trusted=trusted).manifest.journal
    if json:
        print_json([_as_row(change) for change in journal])
        return
    for number, change in enumerate(journal, start=1):
        print(f"{number}  {in_language(_line(change))}")
        for image in change.images:
            print(f"   {image.path}")


def _changed(
    model: Path,
    change: "Callable[[Detector], Changed]",
    trusted: list[Path] | None,
    provider: str = "cpu",
    threads: int | None = None,
) -> "tuple[Detector, Changed]":
    """Change a model file, whole or not at all, while no other process may; the detectors before and after.

    Where the change answers None, the file stays as it is.
    """
    from blemish.detector import load
    from blemish.model.holding import model_to_change

    with model_to_change(model) as path:
        before = load(path, provider=provider, threads=threads, trusted=trusted)
        after = change(before)
        if after is not None:
            after.save(path)
    if after is not None:
        say_unsigned(model, before, after)
    return before, after


def _tell(model: Path, detector: "Detector", json: bool) -> None:
    change = detector.journal[-1]
    if json:
        print_json(_as_row(change))
        return
    say(_line(change))
    say(f"{model}: the memory bank has {detector.model.method.size} now.")


def _line(change: "Change") -> str:
    """One change in a line, without its images."""
    thresholds = f"threshold {change.before.threshold:.4g} -> {change.threshold:.4g}"
    return f"{change.when} {change.who}: {change.change} {_deed(change)}, {thresholds}"


def _deed(change: "Change") -> str:
    """On which images, and what came of it or was asked for."""
    images = f"{len(change.images)} image(s)"
    if change.change == "calibrate":
        return f"on {images if change.images else 'the scores in the model'}, {change.wanted}"
    return f"{images}, {_rows(change.added)} rows added to the memory bank, {_rows(change.taken)} removed"


def _rows(counts: Mapping[str, int]) -> int:
    """Of the banks of all looks."""
    return sum(rows for table, rows in counts.items() if table.startswith("bank"))


def _as_row(change: "Change") -> dict[str, Any]:
    return {
        "change": change.change,
        "when": change.when,
        "who": change.who,
        "images": [image.path for image in change.images],
        "patches": {"added": _rows(change.added), "taken": _rows(change.taken)},
        "wanted": change.wanted and change.wanted.model_dump(),
        "threshold": {"before": change.before.threshold, "after": change.threshold},
    }
