"""Recipes: the options of a product as a TOML file, docs/recipes.md.

[fit]        what `fit` takes
[inspect]    what `blemish inspect` writes
"""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge
from pydantic import BaseModel, ConfigDict

from blemish.errors import OptionError
from blemish.options.settings import Resources, Settings, checked, divide_options, fields, nearest_name
from blemish.options.typed import OptionalPath, Whole
from blemish.system.outputs import Kind

__all__ = ["RECIPE", "InspectOptions", "Recipe", "as_toml", "beside_settings", "over_recipe", "read_recipe"]

TABLES = ("fit", "inspect")


class InspectOptions(BaseModel):
    """What `blemish inspect` writes, and on what it runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    csv: OptionalPath = None
    regions: OptionalPath = None
    jsonl: OptionalPath = None
    overlays: OptionalPath = None
    reasons: OptionalPath = None
    masks: OptionalPath = None
    provider: str = "cpu"
    threads: Annotated[Whole, Ge(1)] = None
    accept_damaged: bool = False
    max_pixels: Annotated[Whole, Ge(1)] = None


class Recipe(BaseModel):
    """What a recipe holds: options as they were written, which were checked together."""

    model_config = ConfigDict(frozen=True)

    fit: dict[str, Any] = {}
    inspect: dict[str, Any] = {}


def read_recipe(path: str | os.PathLike[str]) -> Recipe:
    """Read and check a recipe; raises OptionError naming the file, the table and the option."""
    name = os.fspath(path)
    try:
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise OptionError(f"The recipe {name} cannot be read: {error.strerror or error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"The recipe {name} is not TOML: {error}.") from None
    for table, content in tables.items():
        _check_table(name, table, content)
    recipe = Recipe(**tables)
    with _naming(f"{name}, [fit]"):
        divide_options(recipe.fit)
    with _naming(f"{name}, [inspect]"):
        checked(InspectOptions, recipe.inspect)
    return recipe


def _is_recipe(path: Path) -> bool:
    try:
        read_recipe(path)
    except OptionError:
        return False
    return True


RECIPE = Kind("a recipe", _is_recipe)
"""What a command may write a recipe over."""


def over_recipe(path: str | os.PathLike[str] | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options given, which win, over those of a recipe; raises OptionError naming it where the two contradict."""
    if path is None:
        return dict(options)
    merged = {**read_recipe(path).fit, **options}
    with _naming(f"{os.fspath(path)}, with the options given beside it"):
        divide_options(merged)
    return merged


def beside_settings(
    path: str | os.PathLike[str] | None, given: Mapping[str, Any], resources: Resources
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a recipe made from another, or from none, keeps beside settings: the resources that were given, and the
    other's options of `inspect`."""
    own = {name: value for name, value in dict(resources).items() if name in given}
    return own, {} if path is None else read_recipe(path).inspect


def as_toml(
    settings: Settings, resources: Mapping[str, Any] | None = None, inspect: Mapping[str, Any] | None = None
) -> str:
    """A recipe that fits with these settings: what was asked for, and in comments what preset and defaults give.

    `resources` and `inspect` hold what was asked for of those.
    """
    asked = settings.asked()
    rest = {name: value for name, value in settings.read().items() if name not in asked}
    lines = [
        f"# A recipe of blemish {version('blemish')}: blemish fit IMAGES -o MODEL --config THIS-FILE",
        "[fit]",
        *_lines(asked | dict(resources or {})),
        "",
        "# From the preset and the defaults; take the # away to change a line:",
        *(f"# {line}" for line in _lines(rest)),
    ]
    if inspect:
        lines += ["", "[inspect]", *_lines(inspect)]
    return "\n".join(lines) + "\n"


def _check_table(name: str, table: str, content: object) -> None:
    """Refuse what stands outside the known tables."""
    if table in TABLES and isinstance(content, dict):
        return
    if table in TABLES:
        raise OptionError(f"{name}: {table} is a table; begin it with a line [{table}].")
    if table in fields():
        raise OptionError(f"{name}: {table} stands outside a table; put it under [fit].")
    if table in InspectOptions.model_fields:
        raise OptionError(f"{name}: {table} stands outside a table; put it under [inspect].")
    near = nearest_name(table, [*TABLES, *fields(), *InspectOptions.model_fields])
    hint = f"did you mean {near}?" if near else "a recipe has the tables [fit] and [inspect]."
    raise OptionError(f"{name}: {table} is not known; {hint}")


@contextmanager
def _naming(place: str) -> Iterator[None]:
    """Say where an option that is refused stands."""
    try:
        yield
    except OptionError as error:
        raise OptionError(f"{place}: {error}") from None


def _lines(options: Mapping[str, Any]) -> Iterable[str]:
    return [f"{name} = {_toml(name, value)}" for name, value in options.items()]


def _toml(name: str, value: Any) -> str:
    """A value as TOML has it: none as a word, and a size as people type it."""
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if name == "size" and isinstance(value, tuple):
        return f'"{value[0]}x{value[1]}"'
    if isinstance(value, int | float):
        return repr(int(value) if value == int(value) else value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml('', part) for part in value)}]"
    return _text(os.fspath(value))


def _text(text: str) -> str:
    """A basic string: quotes, backslashes and control characters are escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in escaped) + '"'
