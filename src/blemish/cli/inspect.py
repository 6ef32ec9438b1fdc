"""blemish inspect: images in; verdicts, tables, overlays and masks out."""

import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Protocol

import typer

from blemish.cli.cluster import ClusterAddress, Parquet, check_rows_only, inspected, inspected_to_parquet, reached
from blemish.cli.conducted import Work, answers, elsewhere
from blemish.cli.console import in_language, print_json, progress_bar, say
from blemish.cli.images import found_images
from blemish.cli.next_step import say_misses_unknown
from blemish.cli.options import AcceptDamaged, Config, Force, MaxPixels, Recursive, Threads, Trusted
from blemish.system.progress import Progress

if TYPE_CHECKING:
    from blemish.cluster.cluster import Cluster
    from blemish.cluster.conductor import Conductor
    from blemish.detector import Detector
    from blemish.export.artefact import Artefact
    from blemish.model.manifest import ModelManifest
    from blemish.options.recipe import InspectOptions
    from blemish.result import Result, Verdict
    from blemish.system.address import Place
    from blemish.system.outputs import Outputs

__all__ = ["exit_code", "inspect"]

Images = Annotated[
    list[str],
    typer.Argument(help="Images to inspect: files, folders or patterns; here or in a bucket (s3://, gs://, abfs://)."),
]


class Writer(Protocol):
    """Takes each result as it comes."""

    def add(self, result: "Result") -> None: ...


def inspect(
    model: Annotated[Path, typer.Argument(help="A model made by blemish fit, or its export (.onnx, .xml).")],
    images: Images,
    csv: Annotated[Path | None, typer.Option(help="Write one row an image to this CSV file.")] = None,
    regions: Annotated[Path | None, typer.Option(help="Write one row a region to this CSV file.")] = None,
    jsonl: Annotated[Path | None, typer.Option(help="Write one JSON object an image to this file.")] = None,
    overlays: Annotated[Path | None, typer.Option(help="Draw heat maps and outlines into this folder.")] = None,
    reasons: Annotated[
        Path | None, typer.Option(help="Draw into this folder the good patches that each image was compared with.")
    ] = None,
    masks: Annotated[Path | None, typer.Option(help="Write masks of the regions into this folder.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all results as one JSON list.")] = False,
    parquet: Parquet = None,
    cluster: ClusterAddress = None,
    config: Config = None,
    force: Force = False,
    trusted: Trusted = None,
    recursive: Recursive = False,
    accept_damaged: AcceptDamaged = False,
    max_pixels: MaxPixels = None,
    provider: Annotated[str | None, typer.Option(help="Hardware that runs the network; cpu by default.")] = None,
    threads: Threads = None,
) -> None:
    """Score images and say which deviate; exit code 0: all OK, 1: some NG, 3: some REVIEW, 2: some ERROR.

    Each line: verdict, score, its multiple of the threshold (of several looks: how far above it), share of unseen good
    images that score no higher, path, boxes of the highest regions.
    """
    from blemish.export.artefact import Artefact
    from blemish.result import Verdict
    from blemish.system.outputs import Outputs

    away = elsewhere(cluster)
    paths = [] if away else found_images(images, recursive=recursive)
    typed: dict[str, Any] = {"csv": csv, "jsonl": jsonl, "overlays": overlays, "reasons": reasons, "masks": masks}
    typed |= {"provider": provider, "threads": threads, "max_pixels": max_pixels, "regions": regions}
    wanted = _over_recipe(config, typed | {"accept_damaged": accept_damaged or None})
    apart = _claim(wanted, Outputs([model, *filter(None, [config]), *paths], force=force), paths)
    load = _artefact if model.suffix.lower() in (".onnx", ".xml") else _model
    detector = load(model, wanted, trusted)
    check_rows_only(cluster, parquet, wanted, detector, json=json, force=force)
    work: Work = partial(inspected_to_parquet, place=parquet) if parquet else inspected
    work = partial(_found, work, images, recursive, detector) if away else partial(work, detector, paths)
    with ExitStack() as stack:
        machines = stack.enter_context(reached(cluster, threads=wanted.threads))
        if parquet:
            _tell_parts(work, machines)
        manifest = None if isinstance(detector, Artefact) else detector.manifest
        writers = _open(wanted, paths, manifest, apart, stack)
        results = answers(work, machines, stack.enter_context(progress_bar()))
        counts = Counter[Verdict]()
        rows: list[dict[str, Any]] = []
        tell = (lambda result: rows.append(result.to_dict())) if json else _print_line
        adding = [*(writer.add for writer in writers), tell]
        for result in results:
            counts[result.verdict] += 1
            for add in adding:
                add(result)
    if json:
        print_json(rows)
    else:
        say(", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]))
        if manifest:
            say_misses_unknown(model)
    raise SystemExit(exit_code(counts))


def _found(
    work: Work, images: list[str], recursive: bool, detector: "Detector | Artefact", *, cluster: Any, progress: Progress
) -> Iterator[Any]:
    """Find the images where this runs, and do the work on them."""
    paths = found_images(images, recursive=recursive)
    found: Iterator[Any] = work(detector, paths, cluster=cluster, progress=progress)
    return found


def _over_recipe(config: Path | None, typed: dict[str, Any]) -> "InspectOptions":
    """What was typed, and what the recipe has beside it. Raises OptionError."""
    from blemish.options.recipe import InspectOptions, read_recipe
    from blemish.options.settings import checked

    asked = read_recipe(config).inspect if config else {}
    return checked(InspectOptions, asked | {name: value for name, value in typed.items() if value is not None})


def _tell_parts(work: Work, machines: "Cluster | Conductor | None") -> NoReturn:
    """An inspection whose rows stay in files of the cluster, to its end."""
    with progress_bar() as progress:
        counts: Counter[Verdict] = sum(answers(work, machines, progress), Counter())
    say(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
    raise SystemExit(exit_code(counts))


def _model(path: Path, wanted: "InspectOptions", trusted: list[Path] | None) -> "Detector":
    """The model to inspect by."""
    from blemish.detector import load

    return load(
        path,
        provider=wanted.provider,
        threads=wanted.threads,
        accept_damaged=wanted.accept_damaged,
        max_pixels=wanted.max_pixels,
        trusted=trusted,
    )


def _artefact(path: Path, wanted: "InspectOptions", trusted: list[Path] | None) -> "Artefact":
    """An export to inspect by. Raises OptionError for what takes the model itself."""
    from blemish.errors import OptionError
    from blemish.export.artefact import Artefact

    asked: dict[str, object] = {"reasons": wanted.reasons, "trusted": trusted, "max_pixels": wanted.max_pixels}
    asked |= {"provider": wanted.provider if wanted.provider != "cpu" else None}
    if names := [name for name, value in asked.items() if value is not None]:
        raise OptionError(f"Option {names[0]} cannot be used with {path}, an export; use the model it was made from.")
    return Artefact.load(path, threads=wanted.threads, accept_damaged=wanted.accept_damaged)


def _claim(wanted: "InspectOptions", outputs: "Outputs", paths: "Sequence[Place]") -> bool:
    """Claim all that is wanted, before the first image; True where pictures of several kinds share a folder."""
    from blemish.reports.folders import MaskFolder, OverlayFolder, ReasonsFolder, claim_pictures
    from blemish.reports.table import CSV_OF_REGIONS, CSV_OF_RESULTS, JSON_LINES

    tables = (wanted.csv, CSV_OF_RESULTS), (wanted.regions, CSV_OF_REGIONS), (wanted.jsonl, JSON_LINES)
    for table, kind in tables:
        if table:
            outputs.claim(table, kind)
    folders = (OverlayFolder, wanted.overlays), (ReasonsFolder, wanted.reasons), (MaskFolder, wanted.masks)
    return claim_pictures(outputs, [(kind, folder) for kind, folder in folders if folder], paths)


def _open(
    wanted: "InspectOptions", paths: "Sequence[Place]", manifest: "ModelManifest | None", apart: bool, stack: ExitStack
) -> list[Writer]:
    """The writers of all that is wanted."""
    from blemish.reports.folders import MaskFolder, OverlayFolder, ReasonsFolder
    from blemish.reports.table import CsvFile, JsonLines, RegionsFile

    writers: list[Writer] = []
    if wanted.csv:
        writers.append(stack.enter_context(CsvFile(wanted.csv)))
    if wanted.regions:
        writers.append(stack.enter_context(RegionsFile(wanted.regions)))
    if wanted.jsonl:
        writers.append(stack.enter_context(JsonLines(wanted.jsonl)))
    if wanted.overlays:
        writers.append(OverlayFolder(wanted.overlays, paths, apart=apart))
    if wanted.reasons and manifest:
        writers.append(because := ReasonsFolder(wanted.reasons, paths, manifest, apart=apart))
        stack.callback(_say_missing, because.missing)
    if wanted.masks:
        writers.append(MaskFolder(wanted.masks, paths, apart=apart))
    return writers


def exit_code(verdicts: "Iterable[Verdict]") -> int:
    """2 where something is ERROR, else 1 where something is NG, else 3 where something is for REVIEW, else 0."""
    from blemish.result import Verdict

    seen = set(verdicts)
    for verdict, code in ((Verdict.ERROR, 2), (Verdict.NG, 1), (Verdict.REVIEW, 3)):
        if verdict in seen:
            return code
    return 0


def _say_missing(missing: dict[str, str]) -> None:
    """Tell of training images that reasons were to be cut from."""
    if missing:
        say(f"{len(missing)} training image(s) are missing and drawn grey: {next(iter(missing.values()))}")


def _print_line(result: "Result") -> None:
    from blemish.errors import printable

    if result.error:
        print(f"{result.verdict:<6} {'':>24} {printable(result.path)}  {in_language(result.error)}")
        return
    places = " ".join(f"[{r.box.x},{r.box.y} {r.box.width}x{r.box.height}]" for r in result.regions[:3])
    apart = result.score - result.threshold
    far = f"{apart:+7.2f}" if math.isnan(result.times_threshold) else f"{result.times_threshold:6.2f}x"
    scale = f"{far} {result.percentile:5.1f} %"
    print(f"{result.verdict:<6} {result.score:9.4f} {scale} {printable(result.path)}  {places}".rstrip(), end="")
    print(f"  {in_language(result.note)}" if result.note else "")
    sys.stdout.flush()
