"""blemish fit: good images in, a model file out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from blemish.cli.cluster import ClusterAddress, ClusterState, fit_each, reached
from blemish.cli.console import fail, language, print_json, progress_bar, say
from blemish.cli.images import labelled_images
from blemish.cli.next_step import say_misses_unknown, settle_suspects
from blemish.cli.options import AcceptDamaged, Config, Force, Recursive, given, with_settings
from blemish.options.settings import Resources, Settings, divide_options
from blemish.options.takes import Panel

if TYPE_CHECKING:
    from blemish.detector import Detector

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
    recursive: Recursive = False,
    accept_damaged: AcceptDamaged = False,
    force: Force = False,
    cluster: ClusterAddress = None,
    cluster_state: ClusterState = None,
    each: Annotated[
        bool,
        typer.Option(
            "--each", help="Fit one model for each folder named, into the folder of -o.", rich_help_panel=Panel.FIRST
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was fitted as JSON.")] = False,
    **options: str | None,
) -> None:
    """Learn what good parts look like, and write it to a model file."""
    from blemish.fitting import fit as fit_detector
    from blemish.model.file import MODEL_FILE
    from blemish.model.holding import model_to_write
    from blemish.options.recipe import RECIPE, as_toml, over_recipe, read_recipe
    from blemish.system.outputs import ANY, Outputs

    if each:
        raise SystemExit(_fit_each(images, output, config, options, cluster, json=json, force=force))
    paths, groups = labelled_images(images, label=0, split="train", recursive=recursive)
    wanted = over_recipe(config, given(options) | ({"accept_damaged": True} if accept_damaged else {}))
    settings, resources = divide_options(wanted)
    outputs = Outputs([*images, *paths, *filter(None, [config])], force=force)
    outputs.claim(output, MODEL_FILE)
    state = _training_state(settings, resources, wanted, output)
    if state:
        outputs.claim(state, ANY)  # a training refuses whatever is not its own state
    if save_config:
        outputs.claim(save_config, RECIPE)
        own = {name: value for name, value in dict(resources).items() if name in wanted}
        _save(save_config, as_toml(settings, own, read_recipe(config).inspect if config else None))
    with model_to_write(output) as target:
        reaching = reached(cluster, cluster_state, resources.threads)
        with _kept_when_stopped(state), reaching as machines, progress_bar() as progress:
            own = wanted | {"checkpoint": state}
            detector = fit_detector(paths, groups=groups, progress=progress, cluster=machines, **own)
        if not json:
            detector = settle_suspects(detector, output, ask=wanted.get("suspects", "ask") == "ask")
        target.fill(detector.save)
    if state:
        state.unlink(missing_ok=True)
    if machines:
        machines.clear_checkpoint()
    _tell(output, detector, json=json)


@contextmanager
def _kept_when_stopped(state: Path | None) -> Iterator[None]:
    """Say where a training that is stopped goes on from."""
    try:
        yield
    except KeyboardInterrupt:
        if state is None or not state.exists():
            raise
        fail(f"Stopped; {state} keeps the training so far, and the same command goes on from there.")


def _fit_each(
    folders: list[str],
    output: Path,
    config: Path | None,
    options: dict[str, str | None],
    address: str | None,
    *,
    json: bool,
    force: bool,
) -> int:
    """One model for each folder; the exit code."""
    from blemish.options.recipe import over_recipe

    wanted = over_recipe(config, given(options))
    threads = divide_options(wanted)[1].threads
    with reached(address, threads=threads) as cluster:
        return fit_each(folders, output, wanted, cluster, json=json, force=force)


def _tell(output: Path, detector: "Detector", *, json: bool) -> None:
    """What was fitted, what the threshold rests on, and what to do next."""
    for note in detector.notes:
        say(note)
    if json:
        print_json({"path": str(output), **detector.info()})
        return
    from blemish.reports.basis import basis
    from blemish.reports.words import Words

    info = detector.info()
    size = info["input"]
    say(f"{output}: {info['images']} good images at {size['height']}x{size['width']} (height x width)")
    say(f"{detector.model.method}; {basis(Words(language()), detector.model.manifest.calibration)}")
    say_misses_unknown(output)


def _save(path: Path, recipe: str) -> None:
    from blemish.errors import OptionError
    from blemish.system.whole_file import write_whole

    try:
        write_whole(path, recipe.encode())
    except OSError as error:
        raise OptionError(f"The recipe {path} cannot be written: {error.strerror or error}.") from None
    say(f"{path}: the recipe of this model")


def _training_state(settings: Settings, resources: Resources, wanted: dict[str, Any], output: Path) -> Path | None:
    """The file that keeps an interrupted training; None for methods that do not train, and where none is wanted."""
    from blemish.methods.registry import find_method
    from blemish.methods.trained.kinds import Trained

    if not issubclass(cast(type, find_method(settings.method)), Trained):
        return None
    return resources.checkpoint if "checkpoint" in wanted else Path(f"{output}.training")
