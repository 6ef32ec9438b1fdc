"""Recipes: files of options, for fit and inspect; the recipe of a model."""

import json
import tomllib
from pathlib import Path

import pytest
from shell import RunCli

import blemish
from blemish.detector import load
from blemish.errors import OptionError
from blemish.options.methods import OPTIONS_OF
from blemish.options.recipe import as_toml, read_recipe
from blemish.options.settings import make_settings

EVERY_PRESET = [(method, preset) for method, options in OPTIONS_OF.items() for preset in options.PRESETS]


@pytest.mark.parametrize(("method", "preset"), EVERY_PRESET)
def test_a_recipe_gives_the_settings_it_was_made_of(method: str, preset: str) -> None:
    settings = make_settings(method=method, preset=preset, folds=7)
    recipe = as_toml(settings)
    assert make_settings(**tomllib.loads(recipe)["fit"]) == settings
    lines = [line.removeprefix("# ") for line in recipe.splitlines()]
    whole = "\n".join(line for line in lines if " = " in line)
    assert make_settings(**tomllib.loads(whole)) == settings, "comments tell the rest"


def test_a_recipe_keeps_every_kind_of_value(tmp_path: Path) -> None:
    values = {"size": "320x256", "taps": ["a", 2], "include": ['a"b\\c 部品.png'], "pixel_range": "0,4095"}
    settings = make_settings(preset="paper", removable=False, projection=None, radius=0.5, **values)
    file = tmp_path / "部品.toml"
    file.write_text(as_toml(settings, {"threads": 2}, {"csv": Path("x.csv")}), encoding="utf-8")
    recipe = read_recipe(file)
    assert recipe.fit.pop("threads") == 2
    assert make_settings(**recipe.fit) == settings
    assert recipe.inspect == {"csv": "x.csv"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[fit]\ncorset = 0.1", 'part.toml, [fit]: There is no option "corset"; did you mean coreset?'),
        ("[inspect]\noverlay = 'x'", 'part.toml, [inspect]: There is no option "overlay"; did you mean overlays?'),
        ("coreset = 0.1", "part.toml: coreset stands outside a table; put it under [fit]."),
        ("csv = 'x'", "part.toml: csv stands outside a table; put it under [inspect]."),
        ("[fti]", "part.toml: fti is not known; did you mean fit?"),
        ("[scan]", "part.toml: scan is not known; a recipe has the tables [fit] and [inspect]."),
        ("fit = 3", "part.toml: fit is a table; begin it with a line [fit]."),
        ("[fit]\nmethod = 'padim'\ncoreset = 0.1", "Option coreset cannot be used with the method padim"),
        ("[fit]\ntile_banks = 'each'", "part.toml, [fit]: Option tile_banks=each needs tiles"),
        ("[fit]\nsize = 'banana'", "part.toml, [fit]: Option size='banana' cannot be used: give auto, native"),
        ("[inspect]\nthreads = 0", "part.toml, [inspect]: Option threads=0 cannot be used: give a whole number"),
        ("[fit\n", "part.toml is not TOML"),
        ("[fit]\nfolds = 2\nfolds = 3", "part.toml is not TOML"),
    ],
)
def test_a_recipe_that_cannot_be_used(text: str, sentence: str, tmp_path: Path, folder: Path, run_cli: RunCli) -> None:
    file = tmp_path / "part.toml"
    file.write_text(text, encoding="utf-8")
    outcome = run_cli("fit", folder / "fit", "-o", tmp_path / "a.blemish", "--config", file)
    assert sentence in outcome.sentence
    assert not (tmp_path / "a.blemish").exists()


def test_a_recipe_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"none\.toml cannot be read: No such file"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match=r"a\.toml is not TOML"):
        read_recipe(tmp_path / "a.toml")


def test_from_recipe_to_model_and_back(tmp_path: Path, folder: Path, run_cli: RunCli) -> None:
    """The command line wins, --save-config and info --recipe give the same model again, inspect reads its table."""
    asked, saved, printed = (tmp_path / name for name in ("asked.toml", "saved.toml", "printed.toml"))
    asked.write_text(
        f"[fit]\nsize = 64\ncoreset = 20\nfolds = 3\n[inspect]\ncsv = {json.dumps(str(tmp_path / 'a.csv'))}\n",
        encoding="utf-8",
    )
    models = [tmp_path / f"{number}.blemish" for number in range(3)]
    command = ("fit", folder / "fit", "--threads", "2", "-o")
    outcome = run_cli(*command, models[0], "--config", asked, "--folds", "2", "--save-config", saved)
    assert outcome.code == 0, outcome
    printed.write_text(run_cli("info", models[0], "--recipe").stdout, encoding="utf-8")
    assert run_cli(*command, models[1], "--config", saved).code == 0
    assert run_cli(*command, models[2], "--config", printed).code == 0
    first, *others = (load(model) for model in models)
    assert first.model.manifest.settings == make_settings(size=64, coreset=20, folds=2)
    for other in others:
        assert (other.model.manifest.settings, other.threshold) == (first.model.manifest.settings, first.threshold)
    assert read_recipe(saved).fit["threads"] == 2
    assert run_cli("inspect", models[0], folder / "line", "--config", saved).code == 1
    assert (tmp_path / "a.csv").is_file()
    assert run_cli("inspect", models[0], folder / "line", "--config", saved, "--csv", tmp_path / "b.csv").code == 1
    assert (tmp_path / "b.csv").is_file()


def test_options_that_contradict_a_recipe_name_it(tmp_path: Path, folder: Path, run_cli: RunCli) -> None:
    """Nobody typed coreset here; it must be said where it stands."""
    file = tmp_path / "part.toml"
    file.write_text("[fit]\ncoreset = 20\n", encoding="utf-8")
    outcome = run_cli("fit", folder / "fit", "-o", tmp_path / "a.blemish", "--config", file, "--method", "padim")
    assert "part.toml, with the options given beside it: Option coreset cannot be used with the method padim" in (
        outcome.sentence
    )


def test_python_takes_a_recipe(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "part.toml").write_text("[fit]\nsize = 64\ncoreset = 20\nfolds = 3\n", encoding="utf-8")
    detector = blemish.fit(folder / "fit", recipe=tmp_path / "part.toml", folds=2)
    assert detector.manifest.settings == make_settings(size=64, coreset=20, folds=2)
    with pytest.raises(OptionError, match="is given beside settings"):
        blemish.fit(folder / "fit", recipe=tmp_path / "part.toml", settings=blemish.Settings())
