"""The front door of all options: what was asked for, checked and completed by the method's preset."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, Unpack

from pydantic import BaseModel, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer
from pydantic.fields import FieldInfo

from blemish.errors import OptionError
from blemish.options.given import SettingsOptions
from blemish.options.methods import (
    OPTIONS_OF,
    CAVGASettings,
    DifferNetSettings,
    GANomalySettings,
    NearestImageSettings,
    PaDiMSettings,
    PatchCoreSettings,
    SPADESettings,
    readers,
)
from blemish.options.resources import Resources
from blemish.options.takes import Panel, Takes, wanted

__all__ = [
    "Resources",
    "Settings",
    "checked",
    "chosen",
    "divide_options",
    "fields",
    "make_settings",
    "nearest_name",
    "readers",
]

Checked = TypeVar("Checked", bound=BaseModel)

_WRITTEN_FIRST = (
    *(
        "method",
        "preset",
        "backbone",
        "taps",
        "size",
        "tiles",
        "resize",
        "include",
        "ignore",
        "align",
    ),
    *("patch_size", "patch_stride", "merge", "coreset", "radius", "bank_type", "search", "projection", "image_score"),
    *("neighbours", "top", "tile_banks", "removable", "schedule", "epochs", "encoder", "dimensions", "nearest_images"),
    *("sigma", "false_rejects", "confidence", "review", "calibration", "held_out", "folds", "pixel_range", "seed"),
)
"""The order in which files of format 2 hold the options, so that equal models stay equal files; later ones follow."""


class Settings(
    PatchCoreSettings,
    PaDiMSettings,
    SPADESettings,
    NearestImageSettings,
    DifferNetSettings,
    GANomalySettings,
    CAVGASettings,
):
    """How a detector is fitted: the options of one method, completed by its preset and defaults.

    `Settings(method="padim", dimensions=50)` takes what `fit` takes, but for the machine's resources; it cannot be
    changed, and can be compared. Options of other methods cannot be given; read, they have their defaults, and they are
    not written to model files. Raises OptionError naming the option.
    """

    method: Annotated[
        str, Panel.FIRST, Takes(", ".join(OPTIONS_OF), "|".join(OPTIONS_OF), choices=tuple(OPTIONS_OF))
    ] = Field("patchcore", description="Method that learns from the good images.")

    def __init__(self, **options: Unpack[SettingsOptions]) -> None:
        asked = _with_preset(options)
        try:
            super().__init__(**asked)
        except ValidationError as error:
            raise OptionError(_sentence(error, asked, fields())) from None
        _check_together(self)

    def with_looks(self, looks: Sequence[str]) -> "Settings":
        """The same settings with these looks written in."""
        return self.model_copy(update={"looks": tuple(looks)})

    def read(self) -> dict[str, Any]:
        """The options that the method reads, in the order of model files."""
        return {name: getattr(self, name) for name in _in_order(OPTIONS_OF[self.method].model_fields)}

    def asked(self) -> dict[str, Any]:
        """Method, preset, and what differs from what these give by themselves; Settings(**asked) are the same."""
        first = {name: value for name, value in self.read().items() if name in ("method", "preset", "schedule")}
        given = make_settings(**first).read()
        return {name: value for name, value in self.read().items() if name in first or value != given[name]}

    @model_serializer(mode="wrap")
    def _what_is_read(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the options that the method does not read."""
        dumped = dump(self)
        return {name: dumped[name] for name in _in_order(OPTIONS_OF[self.method].model_fields) if name in dumped}


def _in_order(names: Iterable[str]) -> list[str]:
    """Names of options as model files order them."""
    known = {name: place for place, name in enumerate(_WRITTEN_FIRST)}
    return sorted(names, key=lambda name: known.get(name, len(known)))


def fields() -> dict[str, FieldInfo]:
    """All options that `fit` takes, by name: those of `Settings` as model files hold them, then `Resources`."""
    return {name: Settings.model_fields[name] for name in _in_order(Settings.model_fields)} | Resources.model_fields


def make_settings(**options: Any) -> Settings:
    """Settings from options whose names are only known at run time; raises OptionError naming the option."""
    return Settings(**options)


def divide_options(options: Mapping[str, Any]) -> tuple[Settings, Resources]:
    """Sort what was given to `fit` into settings and resources; raises OptionError naming the option."""
    settings, resources = _divided(options)
    _check_read(settings, resources)
    return settings, resources


def chosen(settings: Settings | None, options: Mapping[str, Any]) -> tuple[Settings, Resources]:
    """What was given to `fit`, as settings or as single options; raises OptionError where both name the model's."""
    if settings is None:
        return divide_options(options)
    for name in options:
        if name in Settings.model_fields:
            raise OptionError(f"Option {name} is given beside settings; give it to Settings({name}=...) instead.")
    resources = _divided(options)[1]
    _check_read(settings, resources)
    return settings, resources


def _divided(options: Mapping[str, Any]) -> tuple[Settings, Resources]:
    resources = {name: value for name, value in options.items() if name in Resources.model_fields}
    settings = {name: value for name, value in options.items() if name not in resources}
    return make_settings(**settings), checked(Resources, resources)


def _check_read(settings: Settings, resources: Resources) -> None:
    """Refuse a checkpoint where nothing is trained, as what a method does not read is refused."""
    trained = readers("epochs")
    if resources.checkpoint is not None and settings.method not in trained:
        read_by = ", ".join(trained)
        raise OptionError(
            f"Option checkpoint cannot be used with the method {settings.method}: it is read by {read_by} only."
        )


def checked(kind: type[Checked], options: Mapping[str, Any]) -> Checked:
    """What was given, as `kind`; raises OptionError naming the option that is wrong."""
    try:
        return kind.model_validate(options)
    except ValidationError as error:
        raise OptionError(_sentence(error, options, kind.model_fields)) from None


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """What may have been meant by a name that is not known."""
    return next(iter(get_close_matches(name, known, n=1)), None)


def _with_preset(options: SettingsOptions) -> dict[str, Any]:
    """What was asked for, over the preset of the method; what the method does not read is refused."""
    given: dict[str, Any] = dict(options)
    method, preset = (given.get(name, Settings.model_fields[name].default) for name in ("method", "preset"))
    if not isinstance(method, str) or method not in OPTIONS_OF:
        raise OptionError(f"Option method={method!r} cannot be used: give {wanted(fields()['method'])}.")
    for name in given:
        if name in Settings.model_fields and method not in readers(name):
            read_by = ", ".join(readers(name))
            raise OptionError(f"Option {name} cannot be used with the method {method}: it is read by {read_by} only.")
    kind = OPTIONS_OF[method]
    if preset in ("default", "paper") and preset not in kind.PRESETS:
        raise OptionError(f"Option preset={preset} cannot be used with the method {method}: it has no such preset.")
    asked = {**(kind.PRESETS.get(preset, {}) if isinstance(preset, str) else {}), **given}
    schedule = asked.get("schedule", "short")
    size = kind.SIZE_OF_SCHEDULE.get(schedule) if isinstance(schedule, str) else None
    return {"size": size, **asked} if size else asked


def _check_together(settings: Settings) -> None:
    """Refuse what each option allows and all together do not."""
    if settings.patch_size % 2 == 0:
        raise OptionError(f"Option patch_size={settings.patch_size} must be odd, so that a patch has a centre.")
    if settings.tile_banks == "each" and (settings.tiles is None or settings.image_score == "reweighted"):
        raise OptionError("Option tile_banks=each needs tiles, and an image_score other than reweighted.")
    if settings.suspects == "drop" and settings.tile_banks == "each":
        raise OptionError("Option suspects=drop needs tile_banks=one: a bank for each tile cannot let an image go.")
    if settings.looks and (settings.size != "auto" or settings.taps or settings.tiles):
        raise OptionError("Option looks cannot be combined with size, taps or tiles: each look has a size and taps.")
    if settings.looks and (settings.image_score != "peak" or settings.tile_banks == "each"):
        raise OptionError("Option looks needs image_score=peak and tile_banks=one: looks are joined map by map.")
    if settings.tile_banks == "each" and (settings.radius is not None or settings.search != "exact"):
        raise OptionError("Option tile_banks=each cannot be combined with radius or with approximate search.")
    if settings.pixel_range and settings.pixel_range[0] >= settings.pixel_range[1]:
        raise OptionError(f"Option pixel_range={settings.pixel_range} must rise: darkest value first.")


def _sentence(error: ValidationError, given: Mapping[str, Any], known: Mapping[str, FieldInfo]) -> str:
    """What came, and what is wanted."""
    first = error.errors()[0]
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        near = nearest_name(name, known)
        options = f"did you mean {near}?" if near else f"the options are {', '.join(known)}."
        return f'There is no option "{name}"; {options}'
    return f"Option {name}={given[name]!r} cannot be used: give {wanted(known[name])}."
