"""blemish calibrate: move a model's operating point, and see what other points would do."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blemish.cli.console import in_language, print_json, progress_bar, say
from blemish.cli.help import stacked
from blemish.cli.images import labelled_images
from blemish.cli.options import AcceptDamaged, Force, MaxPixels, Provider, Recursive, Threads, Trusted
from blemish.cli.signed import say_unsigned

if TYPE_CHECKING:
    from blemish.calibration.thresholds import Calibration
    from blemish.detector import Detector
    from blemish.evaluation.points import Point
    from blemish.system.address import Place

__all__ = ["calibrate"]


def calibrate(
    model: Annotated[Path, typer.Argument(help="A model file made by blemish fit.")],
    good: Annotated[
        list[str] | None,
        typer.Option(help="Good images new to the memory bank (repeatable); the thresholds then rest on them alone."),
    ] = None,
    defective: Annotated[
        list[str] | None, typer.Option(help="Defective images (repeatable), to show what each threshold misses.")
    ] = None,
    false_rejects: Annotated[float | None, typer.Option(help="Share of good parts that may be NG.")] = None,
    confidence: Annotated[float | None, typer.Option(help="Confidence that no more good parts are NG.")] = None,
    review: Annotated[float | None, typer.Option(help="Share of good parts that may be REVIEW.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Set the threshold by hand; its promise is printed.")] = None,
    miss_cost: Annotated[float, typer.Option(min=0, help="Cost of one missed part, counted in false rejects.")] = 10.0,
    who: Annotated[str | None, typer.Option(help="Who makes the change; your user name by default.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write here, and leave MODEL as it is.")] = None,
    force: Force = False,
    trusted: Trusted = None,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    recursive: Recursive = False,
    accept_damaged: AcceptDamaged = False,
    max_pixels: MaxPixels = None,
    provider: Provider = "cpu",
    threads: Threads = None,
) -> None:
    """Move a model's operating point without fitting again, and show what other points would do.

    Images are named as for fit; of a CSV, the split test is taken, with its groups. Without --good the thresholds rest
    on the scores that the model keeps. Without an option that changes something, nothing is written. blemish feedback
    log lists the changes, and blemish feedback undo takes the last one back.
    """
    from blemish.calibrating import calibrate as calibrate_detector
    from blemish.detector import load
    from blemish.evaluation.points import part_scores, tabulate
    from blemish.model.file import MODEL_FILE
    from blemish.model.holding import model_to_write
    from blemish.system.outputs import Outputs

    images, groups = labelled_images(good, label=0, split="test", recursive=recursive) if good else (None, None)
    defects = labelled_images(defective, label=1, split="test", recursive=recursive) if defective else None
    asked: dict[str, Any] = {"false_rejects": false_rejects, "confidence": confidence}
    asked |= {"review": review, "threshold": threshold}
    changed = any(given is not None for given in (good, *asked.values()))
    if output:
        seen = [*(images or []), *(defects[0] if defects else [])]
        Outputs([model, *(good or []), *(defective or []), *seen], force=force).claim(output, MODEL_FILE)
    machine: dict[str, Any] = {"provider": provider, "threads": threads, "max_pixels": max_pixels}
    held = model_to_write(output or model, anew=output is not None) if changed else nullcontext()
    with held as target, progress_bar() as progress:
        detector = load(model, accept_damaged=accept_damaged, trusted=trusted, **machine)
        calibrated = calibrate_detector(detector, images, groups=groups, who=who, progress=progress, **asked)
        parts = part_scores(calibrated, *defects, progress=progress) if defects else None
        if target:
            target.fill(calibrated.save)
    if defects:
        _say_learnt(calibrated, defects[0])
    rows, calibration = tabulate(calibrated, parts, miss_cost=miss_cost), calibrated.manifest.calibration
    if json:
        print_json({"calibration": calibration.to_dict(), "points": [row.to_dict() for row in rows]})
        return
    _print_points(rows, with_defects=parts is not None)
    _say_basis(output or model, calibration, changed=changed)
    say_unsigned(output or model, detector, calibrated)


def _say_learnt(detector: "Detector", defective: "Sequence[Place]") -> None:
    """Name a defective image that the memory holds as a good one."""
    known = zip(defective, detector.known(defective), strict=True)
    learnt = [(path, image.path) for path, image in known if image and image.in_memory]
    if learnt:
        name, place = learnt[0]
        say(
            f"Of the defective images, {len(learnt)} are in the memory, such as {name} (as {place}): what is missed is "
            f"too much for new parts. Leave them out."
        )


def _say_basis(model: Path, calibration: "Calibration", *, changed: bool) -> None:
    """What the threshold rests on now."""
    from blemish.system.address import place_of

    if not changed:
        say("Nothing was changed.")
    say(f"{place_of(model)}: {calibration}")


def _print_points(points: Sequence["Point"], *, with_defects: bool) -> None:
    """One line an operating point: what it promises, what it takes, and where there are defects, what it misses."""
    from rich.console import Console
    from rich.table import Column, Table

    heads = ("operating point", "threshold", "good parts NG", "needs")
    columns = [Column(in_language(head), no_wrap=True) for head in heads]
    columns += [Column(in_language(head)) for head in ("missed (95 %)", "REVIEW") if with_defects]
    table = Table(*columns, box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for point in points:
        *what, missed, interval, reviewed = map(in_language, point.cells())
        # Intervals and counts stand below their shares: beside them, the table would not fit into 80 columns.
        below = f"{missed}\n{interval.split(': ')[-1]}", stacked(reviewed)
        table.add_row(*what, *(below if with_defects else ()))
    Console().print(table)
