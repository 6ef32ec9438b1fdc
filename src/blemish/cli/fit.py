"""blemish fit: good images in, a model file out."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from blemish.cli.cluster import ClusterAddress, ClusterState, check_address, reached
from blemish.cli.conducted import answer, elsewhere
from blemish.cli.console import fail, print_json, progress_bar, say
from blemish.cli.each import check_each, each_work, fit_each
from blemish.cli.effort import say_effort
from blemish.cli.images import labelled_images
from blemish.cli.next_step import say_misses_unknown, settle_suspects
from blemish.cli.options import AcceptDamaged, Config, Force, Recursive, given, with_settings
from blemish.cli.plan import Plan, tell_plan, warn_of_rows
from blemish.options.settings import Resources, Settings, divide_options
from blemish.options.takes import Panel
from blemish.system.progress import Progress

if TYPE_CHECKING:
    from blemish.detector import Detector
    from blemish.system.address import Place
    from blemish.system.outputs import Outputs

__all__ = ["fit"]

Images = Annotated[
    list[str],
    typer.Argument(
        help="Good images: folders, files, patterns, or one CSV; here or in a bucket (s3://, gs://, abfs://)."
    ),
]
Output = Annotated[
    Path,
    typer.Option("--output", "-o", help="The model file to write, such as part.blemish.", rich_help_panel=Panel.FIRST),
]
SaveConfig = Annotated[
    Path | None, typer.Option(help="Write the options that were asked for to this recipe.", rich_help_panel=Panel.FIRST)
]
Each = Annotated[
    bool,
    typer.Option(
        "--each", help="Fit one model for each folder named, into the folder of -o.", rich_help_panel=Panel.FIRST
    ),
]


@with_settings
def fit(
    images: Images,
    output: Output,
    config: Config = None,
    save_config: SaveConfig = None,
    recursive: Recursive = False,
    accept_damaged: AcceptDamaged = False,
    force: Force = False,
    cluster: ClusterAddress = None,
    cluster_state: ClusterState = None,
    each: Each = False,
    plan: Plan = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was fitted as JSON.")] = False,
    **options: str | None,
) -> None:
    """Learn what good parts look like, and write it to a model file."""
    from blemish.model.file import MODEL_FILE
    from blemish.model.holding import model_to_write
    from blemish.options.recipe import over_recipe
    from blemish.system.address import place_of
    from blemish.system.outputs import ANY, Outputs

    place = place_of(output)
    wanted = over_recipe(config, given(options) | ({"accept_damaged": True} if accept_damaged else {}))
    settings, resources = divide_options(wanted)
    away = elsewhere(cluster)
    if each:
        check_each(wanted, cluster_state, plan=plan)
        outputs = Outputs([*images, *filter(None, [config])], force=force)
        work = each_work(images, output, outputs, force=force, away=away)
        _save_recipe(save_config, config, wanted, outputs)
        with reached(cluster, threads=resources.threads) as machines:
            raise SystemExit(fit_each(partial(work, wanted | {"recursive": recursive}), machines, json=json))
    paths, groups = ([], None) if away else labelled_images(images, label=0, split="train", recursive=recursive)
    outputs = Outputs([*images, *paths, *filter(None, [config])], force=force)
    outputs.claim(place, MODEL_FILE)
    state = _training_state(settings, resources, wanted, place)
    if state:
        outputs.claim(state, ANY)  # a training refuses whatever is not its own state
    _save_recipe(save_config, config, wanted, outputs)
    if plan:
        check_address(cluster, cluster_state, resources.threads, plan=plan)
        tell_plan(paths, wanted, groups=groups, cluster=cluster is not None, json=json)
        return
    warn_of_rows(settings.coreset)
    with model_to_write(place) as target, ExitStack() as connected:
        with _kept_when_stopped(state), progress_bar() as progress:
            machines = connected.enter_context(reached(cluster, cluster_state, resources.threads))
            work = partial(_found_and_fitted, images, recursive) if away else partial(_fitted, paths, groups)
            detector = answer(partial(work, wanted | {"checkpoint": state}), machines, progress)
        if not away:
            connected.close()  # its workers hold processors, and someone may be asked first
        if not json:
            detector = settle_suspects(detector, place, ask=wanted.get("suspects", "ask") == "ask")
        target.fill(detector.save)
        if machines:
            machines.clear_checkpoint()
    if state:
        state.unlink(missing_ok=True)
    _tell(place, detector, wanted, [] if cluster else paths, json=json)


def _found_and_fitted(
    images: list[str], recursive: bool, wanted: Mapping[str, Any], *, cluster: Any, progress: Progress
) -> "Detector":
    """Find the images where this runs, and fit."""
    paths, groups = labelled_images(images, label=0, split="train", recursive=recursive)
    return _fitted(paths, groups, wanted, cluster=cluster, progress=progress)


def _fitted(
    paths: "Sequence[Place]", groups: list[str] | None, wanted: Mapping[str, Any], *, cluster: Any, progress: Progress
) -> "Detector":
    from blemish.fitting import fit

    return fit(paths, groups=groups, progress=progress, cluster=cluster, **wanted)


@contextmanager
def _kept_when_stopped(state: Path | None) -> Iterator[None]:
    """Say where a training that is stopped goes on from."""
    try:
        yield
    except KeyboardInterrupt:
        if state is None or not state.exists():
            raise
        fail(f"Stopped; {state} keeps the training so far, and the same command goes on from there.")


def _tell(
    output: "Place", detector: "Detector", wanted: Mapping[str, Any], images: "Sequence[Place]", *, json: bool
) -> None:
    """What was fitted, what the threshold rests on, what it costs, and what to do next."""
    for note in detector.notes:
        say(note)
    if json:
        print_json({"path": str(output), **detector.info()})
        return
    info = detector.info()
    size = info["input"]
    say(f"{output}: {info['images']} good images at {size['height']}x{size['width']} (height x width)")
    for line in str(detector.model.method).splitlines():
        say(line)
    say(str(detector.manifest.calibration))
    # The model may have taken the place of an image, with --force.
    say_effort(detector, wanted, next((image for image in images if image.resolve() != output.resolve()), None))
    say_misses_unknown(output)


def _save_recipe(path: Path | None, config: Path | None, wanted: dict[str, Any], outputs: "Outputs") -> None:
    """Write what was asked for as a recipe, where one is wanted. Raises OptionError."""
    from blemish.errors import OptionError
    from blemish.options.recipe import RECIPE, as_toml, beside_settings
    from blemish.system.whole_file import write_whole

    if path is None:
        return
    outputs.claim(path, RECIPE)
    settings, resources = divide_options(wanted)
    recipe = as_toml(settings, *beside_settings(config, wanted, resources))
    try:
        write_whole(path, recipe.encode())
    except OSError as error:
        raise OptionError(f"The recipe {path} cannot be written: {error.strerror or error}.") from None
    say(f"{path}: the recipe of this model")


def _training_state(settings: Settings, resources: Resources, wanted: dict[str, Any], output: "Place") -> Path | None:
    """The file that keeps an interrupted training; None for methods that do not train, and where none is wanted."""
    from blemish.methods.registry import find_method
    from blemish.methods.trained.kinds import Trained

    if not issubclass(cast(type, find_method(settings.method)), Trained):
        return None
    return resources.checkpoint if "checkpoint" in wanted else Path(f"{output}.training")
