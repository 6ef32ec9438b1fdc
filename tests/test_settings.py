"""Options: what is taken, what is refused by name, and that none is dead."""

import re
from pathlib import Path
from typing import Any

import pytest

import blemish
from blemish.errors import OptionError
from blemish.methods.registry import METHODS, find_method
from blemish.options.methods import OPTIONS_OF
from blemish.options.settings import Resources, Settings, divide_options, make_settings, readers

SOURCE = Path(blemish.__file__).parent


def test_a_preset_gives_its_values_and_options_win() -> None:
    assert make_settings().preset == "default"
    paper = make_settings(preset="paper", coreset=0.01)
    assert (paper.resize, paper.merge, paper.projection) == ("crop", "adaptive", 128)
    assert paper.coreset == 0.01


@pytest.mark.parametrize(
    ("method", "preset"), [(method, preset) for method, options in OPTIONS_OF.items() for preset in options.PRESETS]
)
def test_presets_name_options_that_their_method_reads(method: str, preset: str) -> None:
    settings = make_settings(method=method, preset=preset)
    assert (settings.method, settings.preset) == (method, preset)
    for name, value in OPTIONS_OF[method].PRESETS[preset].items():
        assert method in readers(name)
        assert make_settings(method=method, preset=preset, **{name: value}) == settings


def test_every_method_can_be_asked_for_and_found() -> None:
    assert METHODS.keys() == OPTIONS_OF.keys()
    for method in METHODS:
        assert make_settings(method=method).preset == "default"
        kinds = find_method(method).tensor_kinds(make_settings(method=method))
        assert not {"calibration", "graph"} & {name.split(".")[0] for name in kinds}


def test_what_another_method_reads_is_refused_and_not_written() -> None:
    with pytest.raises(OptionError, match="cannot be used with the method patchcore: it is read by padim only"):
        make_settings(dimensions=50)
    assert "dimensions" not in make_settings().model_dump()


def test_the_front_door_has_every_option_of_every_method() -> None:
    for options in OPTIONS_OF.values():
        for name, field in options.model_fields.items():
            assert Settings.model_fields[name].description == field.description


def test_settings_apply_their_preset() -> None:
    """Settings(preset="paper") once said paper and held the defaults."""
    assert make_settings(preset="paper").merge == "adaptive"


def test_model_files_hold_options_in_the_order_they_always_had() -> None:
    """Equal models are equal files, byte for byte."""
    assert make_settings(method="padim", dimensions=50).model_dump_json() == (
        '{"method":"padim","preset":"default","backbone":"efficientnet_lite0","taps":[1,2,3],"size":"auto",'
        '"resize":"auto","align":"none","dimensions":50,"sigma":4.0,"false_rejects":0.01,"confidence":0.95,'
        '"review":0.0,"calibration":"auto","held_out":0.3,"folds":null,"pixel_range":null,"seed":0,"nodata":"auto"}'
    )


def test_a_dump_makes_the_same_settings() -> None:
    for method, options in OPTIONS_OF.items():
        for preset in options.PRESETS:
            settings = make_settings(method=method, preset=preset)
            assert Settings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("typed", "meant"), [("1%", 0.01), ("0.25", 0.25), ("100%", 1.0), ("5000", 5000), (5000, 5000), (0.5, 0.5)]
)
def test_coreset_is_a_share_or_a_number_of_rows(typed: Any, meant: float) -> None:
    assert make_settings(coreset=typed).coreset == meant


@pytest.mark.parametrize("typed", ["200%", "0", -1, 1.5, "nan", "inf", float("nan"), float("inf"), "many", "%", None])
def test_coreset_refuses_what_is_neither(typed: Any) -> None:
    with pytest.raises(OptionError, match="Option coreset="):
        make_settings(coreset=typed)


@pytest.mark.parametrize(
    ("option", "typed", "meant"),
    [
        ("taps", "layer2, layer3", ("layer2", "layer3")),
        ("taps", "none", ()),
        ("size", "320x256", (320, 256)),
        ("size", "224", 224),
        ("projection", "none", None),
        ("projection", "64", 64),
        ("pixel_range", "0,4095", (0.0, 4095.0)),
        ("pixel_range", "none", None),
        ("seed", "0", 0),
    ],
)
def test_what_is_typed_on_a_command_line(option: str, typed: str, meant: Any) -> None:
    assert getattr(make_settings(preset="paper", **{option: typed}), option) == meant


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("preset", "best"),
        ("preset", ["paper"]),
        ("size", 16),
        ("size", "320x"),
        ("resize", "tile"),
        ("patch_size", 4),
        ("patch_stride", 0),
        ("image_score", "min"),
        ("neighbours", 1),
        ("top", 0),
        ("sigma", -1),
        ("sigma", "inf"),
        ("false_rejects", 0),
        ("false_rejects", float("nan")),
        ("confidence", 1),
        ("review", 1),
        ("calibration", "jackknife"),
        ("held_out", 0),
        ("folds", 1),
        ("pixel_range", (5, 5)),
        ("pixel_range", "0,inf"),
        ("seed", -1),
        ("threads", 0),
        ("memory", "plenty"),
        ("spill_type", "int8"),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_its_name(option: str, value: Any) -> None:
    with pytest.raises(OptionError, match=rf"^Option {option}=") as refused:
        divide_options({option: value})
    assert "\n" not in str(refused.value)


def test_an_unknown_option_is_refused_by_its_name() -> None:
    with pytest.raises(OptionError, match='no option "spade_nn"; the options are method, preset, backbone'):
        make_settings(spade_nn=2)


@pytest.mark.parametrize(
    ("option", "typed", "meant"),
    [("threads", "none", None), ("threads", "2", 2), ("memory", "2GB", 2 * 10**9), ("memory", "none", None)],
)
def test_resources_are_no_settings(option: str, typed: str, meant: Any) -> None:
    """They change where and how fast, not what is fitted."""
    settings, resources = divide_options({option: typed, "size": "64"})
    assert settings == make_settings(size=64)
    assert getattr(resources, option) == meant
    assert not Settings.model_fields.keys() & Resources.model_fields.keys()


@pytest.mark.parametrize("option", [*Settings.model_fields, *Resources.model_fields])
def test_every_option_is_read_somewhere(option: str) -> None:
    """A dead option is worse than a missing one: it is accepted and ignored."""
    sources = [path for path in SOURCE.rglob("*.py") if path.name not in {"options/settings.py", "__init__.py"}]
    read = re.compile(rf"\b(settings|resources)\.{option}\b")
    if option == "preset":
        pytest.skip("read by make_settings")
    assert any(read.search(path.read_text(encoding="utf-8")) for path in sources), option


@pytest.mark.parametrize(
    ("typed", "size"),
    [("2GB", 2_000_000_000), ("500MB", 500_000_000), ("1.5 gb", 1_500_000_000), ("1GiB", 2**30), (12, 12)],
)
def test_a_memory_budget_is_read_with_its_unit(typed: str | int, size: int) -> None:
    assert divide_options({"memory": typed})[1].memory == size


@pytest.mark.parametrize("typed", ["", "much", "2XB", "GB", "-"])
def test_other_memory_budgets_are_refused(typed: str) -> None:
    with pytest.raises(OptionError, match="memory="):
        divide_options({"memory": typed})


def test_settings_are_one_value_that_can_be_a_key() -> None:
    one, same = (make_settings(looks="448:3+4,224:2+3:even") for _ in range(2))
    assert {one: "a", make_settings(): "b"}[same] == "a"
    assert one.looks == ("448:3+4", "224:2+3:even")
