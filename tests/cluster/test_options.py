"""No option of a command is ignored without a word: on a cluster, and where many products are fitted, each works."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
from crews import LocalCrew, cluster_of
from parts import good_part, save_image, scratched_part
from PIL import Image
from shell import Outcome, RunCli

import blemish
from blemish.cli.main import app
from blemish.cluster.cluster import Cluster
from blemish.cluster.inspecting import inspect_many
from blemish.cluster.plan import ShardPlan
from blemish.cluster.products import Product, ProductFit
from blemish.cluster.worker import Call
from blemish.detector import Detector
from blemish.fitting import fit
from blemish.options.settings import Resources, Settings, fields, readers

Check = Callable[[Outcome], bool]
STORED = pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed (extra ray)")

TYPED = {
    "preset": "paper",
    "backbone": "resnet18",
    "taps": "2,3",
    "size": "64",
    "resize": "stretch",
    "align": "shift",
    "false_rejects": "0.02",
    "confidence": "0.9",
    "review": "0.1",
    "calibration": "cross",
    "held_out": "0.2",
    "folds": "3",
    "pixel_range": "0,255",
    "nodata": "none",
    "seed": "3",
    "tiles": "64",
    "sigma": "2",
    "include": "1,1,20x20",
    "ignore": "1,1,20x20",
    "patch_size": "5",
    "patch_stride": "2",
    "merge": "adaptive",
    "coreset": "50",
    "radius": "2.5",
    "bank_type": "float16",
    "search": "approximate",
    "projection": "16",
    "image_score": "max",
    "neighbours": "4",
    "top": "0.1",
    "tile_banks": "each",
    "effort": "quick",
    "join": "soft",
    "looks": "224",
    "suspects": "ask",
    "removable": "no",
    "dimensions": "20",
    "nearest_images": "5",
    "schedule": "published",
    "epochs": "2",
    "encoder": "weights.pth",
    "provider": "openvino",
    "threads": "2",
    "memory": "1GB",
    "spill_folder": "spill",
    "checkpoint": "state",
    "spill_type": "float16",
    "max_pixels": "9999",
}
"""What is typed for each option that takes a value."""
EVERYWHERE = {"help", "quiet", "verbose", "log_file", "lang"}
"""Of every command, and of how it speaks (tests/test_commands.py)."""
BESIDE = {"tile_banks": ("--tiles", "64", "--image-score", "max")}
"""What an option needs beside it."""


def options_of(command: str) -> set[str]:
    """The options of a command, by the names of its parameters."""
    found = typer.main.get_command(app).get_command(None, command)  # type: ignore[attr-defined]
    return {each.name for each in found.params if each.param_type_name == "option"} - EVERYWHERE


def last_line(outcome: Outcome) -> str:
    """What a command says at its end, on stderr."""
    return outcome.stderr.strip().rpartition("\n")[2]


def refused(name: str, outcome: Outcome) -> bool:
    """Whether a sentence says that this option cannot be used so."""
    return outcome.code == 2 and last_line(outcome).startswith(f"blemish: Option {name}")


def cut(path: Path) -> None:
    """A JPEG of a good part that ends too early."""
    content = io.BytesIO()
    Image.fromarray(good_part(3)).save(content, "JPEG", quality=95)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.getvalue()[: len(content.getvalue()) // 2])


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A cluster in this process in place of Ray; what it was asked for."""
    asked: list[dict[str, Any]] = []

    def connect(address: str, **how: Any) -> AbstractContextManager[Cluster]:
        asked.append({"address": address, **how})
        return nullcontext(cluster_of(LocalCrew(1)))

    monkeypatch.setattr("blemish.cluster.connecting.connect", connect)
    return asked


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Many fits that are not done; the options of each."""
    asked: list[dict[str, Any]] = []

    def fit_products(
        products: Sequence[Product], options: dict[str, Any], cluster: Cluster | None, say: Callable[[str], None]
    ) -> Iterator[ProductFit]:
        asked.append(options)
        return iter([ProductFit(each, 3, 1.0, "bank", notes=["two are alike"]) for each in products])

    monkeypatch.setattr("blemish.cluster.products.fit_products", fit_products)
    return asked


def test_every_option_has_something_to_type() -> None:
    flags = {"accept_damaged"}
    assert set(TYPED) | flags | {"method"} == set(fields())


@pytest.mark.parametrize("name", sorted(options_of("fit") - {"output", "each"}))
def test_fit_each_reads_every_option_or_refuses_it(
    name: str,
    folder: Path,
    tmp_path: Path,
    run_cli: RunCli,
    fits: list[dict[str, Any]],
    connected: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe, saved, foreign = tmp_path / "a.toml", tmp_path / "b.toml", tmp_path / "models" / "fit.blemish"
    recipe.write_text("[fit]\nseed = 7\n")
    foreign.parent.mkdir()
    own: dict[str, tuple[Sequence[str], Check]] = {
        "config": ([str(recipe)], lambda _: fits[0]["seed"] == 7),
        "save_config": ([str(saved)], lambda _: "[fit]" in saved.read_text()),
        "force": ([], lambda outcome: outcome.code == 0),
        "json": ([], lambda outcome: '"notes": [' in outcome.stdout),
        "cluster": (["local"], lambda _: connected[0]["address"] == "local"),
        "cluster_state": ([str(tmp_path)], lambda outcome: refused("cluster_state", outcome)),
        "plan": ([], lambda outcome: refused("plan", outcome)),
        "method": (["padim"], lambda _: fits[0]["method"] == "padim"),
    }
    if name == "force":
        foreign.write_bytes(b"mine")
    if name in own:
        values, seen = own[name]
    else:
        values = [TYPED[name]] if name in TYPED else []
        seen = lambda outcome: refused(name, outcome) or (bool(fits) and fits[0].get(name) not in (None, False))  # noqa: E731
    method = ("--method", readers(name)[0]) if name in fields() and readers(name) and name != "method" else ()
    flag = f"--{name.replace('_', '-')}"
    outcome = run_cli(
        *("fit", "--each", folder / "fit", "-o", foreign.parent, flag, *values, *method, *BESIDE.get(name, ()))
    )
    assert seen(outcome), outcome


def test_fit_each_refuses_what_it_cannot_do(folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    asked = ("fit", "--each", folder / "fit", "-o", tmp_path)
    assert "keeps every model that is done" in run_cli(*asked, "--cluster-state", tmp_path).sentence
    assert "give keep or drop" in run_cli(*asked, "--suspects", "ask").sentence
    trained = ("--method", "differnet", "--checkpoint", tmp_path / "state")
    assert "whose fits would share the file" in run_cli(*asked, *trained).sentence


def test_fit_each_finds_images_in_folders_inside_and_reads_damaged_ones(tmp_path: Path, run_cli: RunCli) -> None:
    for seed in range(3):
        save_image(tmp_path / "nut" / "inside" / f"{seed}.png", good_part(seed))
    cut(tmp_path / "nut" / "inside" / "cut.jpg")
    (tmp_path / "models").mkdir()
    asked = ("fit", "--each", tmp_path / "nut", "-o", tmp_path / "models", "--size", "32", "--coreset", "20")
    assert "holds no images" in run_cli(*asked).stdout
    assert "cut.jpg" in run_cli(*asked, "--recursive").stdout
    outcome = run_cli(*asked, "--recursive", "--accept-damaged", "--save-config", tmp_path / "nut.toml")
    assert (outcome.code, "4 good images" in outcome.stdout) == (0, True), outcome
    recipe = (tmp_path / "nut.toml").read_text()
    assert 'size = "32x32"' in recipe or "size = 32" in recipe, recipe
    assert "accept_damaged = true" in recipe


def test_threads_of_a_cluster_elsewhere_are_refused(folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    asked = ("fit", folder / "fit", "-o", tmp_path / "a.blemish", "--cluster", "10.0.0.1:6379", "--threads", "2")
    assert "whose machines use all their processors; leave it out" in run_cli(*asked).sentence


def test_a_checkpoint_is_refused_where_nothing_is_trained(folder: Path, tmp_path: Path, run_cli: RunCli) -> None:
    asked = ("fit", folder / "fit", "-o", tmp_path / "a.blemish", "--checkpoint", tmp_path / "state")
    assert "cannot be used with the method patchcore: it is read by differnet" in run_cli(*asked).sentence


class PlansKept(LocalCrew):
    """A crew that keeps the plans it was told."""

    def __init__(self) -> None:
        super().__init__(1)
        self.plans: list[ShardPlan] = []

    def _answer(self, worker: int, call: Call) -> Any:
        if call.method == "take_share":
            self.plans.append(call.arguments[0])
        return super()._answer(worker, call)


REACHING: dict[str, Callable[[ShardPlan], object]] = {
    "provider": lambda plan: plan.provider,
    "spill_folder": lambda plan: str(plan.files.folder),
    "spill_type": lambda plan: plan.spill_type,
    "accept_damaged": lambda plan: plan.viewer.rules.accept_damaged,
    "max_pixels": lambda plan: plan.viewer.rules.bounds.pixels,
    "memory": lambda plan: plan.memory,
}
"""How workers learn what they may use."""
ELSEWHERE = {"threads": "the size of the local cluster", "checkpoint": "read by methods that a cluster refuses"}


def test_all_that_a_fit_may_use_reaches_the_workers_or_is_refused(folder: Path, tmp_path: Path) -> None:
    assert REACHING.keys() | ELSEWHERE == set(Resources.model_fields)
    crew = PlansKept()
    given: dict[str, Any] = {"provider": "cpu", "spill_folder": str(tmp_path), "spill_type": "float16"}
    given |= {"accept_damaged": True, "max_pixels": 99_999, "memory": 5_000_000, "seed": 5}
    fit(folder / "fit", size=32, coreset=20, progress=False, cluster=cluster_of(crew), **given)
    plan = crew.plans[0]
    assert {name: reads(plan) for name, reads in REACHING.items()} == {name: given[name] for name in REACHING}
    assert isinstance(plan.settings, Settings)
    assert plan.settings.seed == 5


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """A folder of images to inspect: a whole one, a damaged one, and one in a folder inside."""
    folder = tmp_path / "line"
    for name in ("whole.png", "inside/deep.png"):
        save_image(folder / name, good_part(3))
    cut(folder / "damaged.jpg")
    return folder


def inspect_options(tmp_path: Path, asked: list[dict[str, Any]]) -> dict[str, tuple[Sequence[str], Check]]:
    """What is typed for each option of `inspect`, and what then is to be seen, with a cluster."""
    recipe, mine = tmp_path / "a.toml", tmp_path / "mine.csv"
    recipe.write_text(f"[inspect]\ncsv = '{tmp_path / 'recipe.csv'}'\n")
    mine.write_text("mine")
    pictures = {
        name: ([f"--{name}", str(tmp_path / name)], lambda outcome, name=name: refused(name, outcome))
        for name in ("overlays", "reasons", "masks")
    }
    tables = {
        name: ([f"--{name}", str(tmp_path / f"{name}.out")], lambda _, name=name: (tmp_path / f"{name}.out").is_file())
        for name in ("csv", "regions", "jsonl")
    }
    return {
        **pictures,
        **tables,
        "json": (["--json"], lambda outcome: outcome.stdout.startswith("[")),
        "parquet": (["--parquet", str(tmp_path / "out")], lambda _: any((tmp_path / "out").glob("*.parquet"))),
        "cluster": ([], lambda _: asked[0]["address"] == "local"),
        "config": (["--config", str(recipe)], lambda _: (tmp_path / "recipe.csv").is_file()),
        "force": (["--csv", str(mine), "--force"], lambda _: "whole.png" in mine.read_text("utf-8")),
        "trusted": (["--trusted", str(tmp_path / "no.pub")], lambda outcome: "no.pub" in last_line(outcome)),
        "recursive": (["--recursive"], lambda outcome: "deep.png" in outcome.stdout),
        "accept_damaged": (["--accept-damaged"], lambda outcome: "ERROR" not in outcome.stdout),
        "max_pixels": (["--max-pixels", "9"], lambda outcome: outcome.stdout.count("ERROR") == 2),
        "provider": (["--provider", "banana"], lambda outcome: "banana" in last_line(outcome)),
        "threads": (["--threads", "1"], lambda _: asked[0]["processors"] == 1),
    }


@pytest.mark.parametrize("name", sorted(options_of("inspect") - {"parquet"}))
def test_inspect_on_a_cluster_reads_every_option_or_refuses_it(
    name: str, model: Path, line: Path, tmp_path: Path, run_cli: RunCli, connected: list[dict[str, Any]]
) -> None:
    typed, seen = inspect_options(tmp_path, connected)[name]
    outcome = run_cli("inspect", model, line, "--cluster", "local", *typed)
    assert seen(outcome), outcome


KEPT_IN_FILES = {"csv", "regions", "jsonl", "json", "config", "force", "overlays", "reasons", "masks"}
"""Options that --parquet refuses."""


@pytest.mark.ray
@STORED
@pytest.mark.parametrize("name", sorted(options_of("inspect")))
def test_inspect_to_parquet_reads_every_option_or_refuses_it(
    name: str, model: Path, line: Path, tmp_path: Path, run_cli: RunCli, connected: list[dict[str, Any]]
) -> None:
    typed, seen = inspect_options(tmp_path, connected)[name]
    place = tmp_path / "parts"
    beside = () if name == "parquet" else ("--parquet", place)
    outcome = run_cli("inspect", model, line, "--cluster", "local", *typed, *beside)
    if name in KEPT_IN_FILES:
        assert "parquet" in last_line(outcome) or refused(name, outcome)
        assert not place.exists()
    elif name in ("recursive", "accept_damaged", "max_pixels"):
        said = {"recursive": "1 ERROR, 2 OK", "accept_damaged": "1 OK", "max_pixels": "2 ERROR"}[name]
        assert said in outcome.stderr, outcome
    else:
        assert seen(outcome), outcome


def test_parquet_without_a_cluster_is_refused(model: Path, line: Path, tmp_path: Path, run_cli: RunCli) -> None:
    assert "Option parquet needs --cluster" in last_line(run_cli("inspect", model, line, "--parquet", tmp_path / "x"))


def test_the_detector_of_workers_reads_as_the_one_here(detector: Detector, line: Path) -> None:
    paths = sorted(path for path in line.rglob("*") if path.is_file())
    crew = LocalCrew(1)
    for given in ({}, {"accept_damaged": True}, {"max_pixels": 9}):
        here = Detector.of(detector.model, threads=1, **given)
        there = list(inspect_many(cluster_of(crew), here, paths))
        assert blemish.table(there) == blemish.table(here.inspect_many(paths)), given


@pytest.mark.parametrize("name", sorted(options_of("evaluate") - {"data", "defective", "masks"}))
def test_evaluate_on_a_cluster_reads_every_option_or_refuses_it(
    name: str, model: Path, folder: Path, tmp_path: Path, run_cli: RunCli, connected: list[dict[str, Any]]
) -> None:
    cut(tmp_path / "defective" / "damaged.jpg")
    save_image(tmp_path / "defective" / "scratched.png", scratched_part(3).grey)
    typed: dict[str, tuple[Sequence[str], Check]] = {
        "good": ([], lambda outcome: outcome.code == 0),
        "json": (["--json"], lambda outcome: outcome.stdout.startswith("{")),
        "seed": (["--seed", "3"], lambda outcome: outcome.code == 0),
        "cluster": ([], lambda _: connected[0]["address"] == "local"),
        "trusted": (["--trusted", str(tmp_path / "no.pub")], lambda outcome: "no.pub" in last_line(outcome)),
        "accept_damaged": (["--accept-damaged", "--json"], lambda outcome: '"ERROR"' not in outcome.stdout),
        "max_pixels": (["--max-pixels", "9", "--json"], lambda outcome: outcome.stdout.count('"ERROR"') == 6),
        "provider": (["--provider", "banana"], lambda outcome: "banana" in last_line(outcome)),
        "threads": (["--threads", "1"], lambda _: connected[0]["processors"] == 1),
    }
    values, seen = typed[name]
    sets = ("--good", folder / "line", "--defective", tmp_path / "defective")
    outcome = run_cli("evaluate", model, *sets, "--cluster", "local", *values)
    assert seen(outcome), outcome
