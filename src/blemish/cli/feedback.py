"""blemish feedback: what the line teaches a model after it was fitted, and what it was taught."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blemish.cli.commands import CommandLine
from blemish.cli.console import in_language, print_json, say
from blemish.cli.options import Trusted
from blemish.cli.signed import say_unsigned

if TYPE_CHECKING:
    from blemish.detector import Detector
    from blemish.model.manifest import Change

__all__ = ["app"]

app = CommandLine(
    help="Add rejected good images to a model, take images out, undo and list changes. Nothing is fitted again.",
)

Model = Annotated[Path, typer.Argument(help="A model file made by blemish fit; it is changed in place.")]
Who = Annotated[str | None, typer.Option(help="Who makes the change; your user name by default.")]
Json = Annotated[bool, typer.Option("--json", help="Print the change as JSON.")]


@app.command()
def add(
    model: Model,
    images: Annotated[list[str], typer.Argument(help="Good images: folders, files, patterns, or one CSV.")],
    who: Who = None,
    json: Json = False,
    trusted: Trusted = None,
    provider: Annotated[str, typer.Option(help="Hardware that runs the network.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="Processors to use; all by default.")] = None,
) -> None:
    """Add images of good parts to the memory bank, such as those rejected by mistake; each of them is OK afterwards."""
    from blemish.cli.images import labelled_images

    paths, groups = labelled_images(images, label=0, split="train")
    _, after = _changed(model, lambda detector: detector.add(paths, groups=groups, who=who), trusted, provider, threads)
    _tell(model, after, json)


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
    say(f"{model}: undone: {_line(change)}. The threshold is {after.threshold:.4g} again.")


@app.command()
def log(
    model: Annotated[Path, typer.Argument(help="A model file made by blemish fit.")],
    json: Json = False,
    trusted: Trusted = None,
) -> None:
    """List the changes: when, who, what, and which images; oldest first."""
    from blemish.model.file import read_model

    journal = read_model(model, trusted=trusted).manifest.journal
    if json:
        print_json([_as_row(change) for change in journal])
        return
    for number, change in enumerate(journal, start=1):
        print(f"{number}  {in_language(_line(change))}")
        for image in change.images:
            print(f"   {image.path}")


def _changed(
    model: Path,
    change: "Callable[[Detector], Detector]",
    trusted: list[Path] | None,
    provider: str = "cpu",
    threads: int | None = None,
) -> "tuple[Detector, Detector]":
    """Change a model file, whole or not at all, while no other process may; the detectors before and after."""
    from blemish.detector import load
    from blemish.model.holding import model_to_change

    with model_to_change(model) as path:
        before = load(path, provider=provider, threads=threads, trusted=trusted)
        after = change(before)
        after.save(path)
    say_unsigned(model, before, after)
    return before, after


def _tell(model: Path, detector: "Detector", json: bool) -> None:
    change = detector.journal[-1]
    if json:
        print_json(_as_row(change))
        return
    say(f"{model}: {_line(change)}. The memory bank has {detector.model.method.size}.")


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
