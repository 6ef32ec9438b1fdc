"""Turn `Settings` into command-line options, so that each option is described in one place only."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from blemish.options.methods import OPTIONS_OF
from blemish.options.settings import Resources, fields, readers
from blemish.options.takes import Panel, as_typed, choices, panel_of, shown_type

__all__ = [
    "AcceptDamaged",
    "Config",
    "Data",
    "Defective",
    "Force",
    "Good",
    "Masks",
    "MaxPixels",
    "NewRecipe",
    "Provider",
    "Recursive",
    "Seed",
    "Taught",
    "Threads",
    "Trusted",
    "given",
    "with_settings",
]

Config = Annotated[
    Path | None,
    typer.Option(help="A recipe: a TOML file of options; those typed here win over it.", rich_help_panel=Panel.FIRST),
]
Taught = Annotated[list[str], typer.Argument(help="Good images: folders, files, patterns, or one CSV.")]
NewRecipe = Annotated[
    Path,
    typer.Option("--output", "-o", help="The recipe to write, for fit --config.", rich_help_panel=Panel.FIRST),
]
Force = Annotated[
    bool, typer.Option("--force", help="Write even over images that are read, and over files of another kind.")
]
Trusted = Annotated[
    list[Path] | None,
    typer.Option("--trusted", help="A public key (.pub): refuse a model that none of these has signed (blemish sign)."),
]
AcceptDamaged = Annotated[
    bool,
    typer.Option(
        "--accept-damaged", help=Resources.model_fields["accept_damaged"].description, rich_help_panel=Panel.DATA
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Pixels of the largest image that is read; by default 179 million, and for an inspected one 16 times the "
        "largest good image.",
        rich_help_panel=Panel.DATA,
    ),
]
Recursive = Annotated[
    bool,
    typer.Option("--recursive", help="Read the folders inside folders, too.", rich_help_panel=Panel.DATA),
]
Provider = Annotated[str, typer.Option(help="Hardware that runs the network.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Processors to use; all by default.")]
Good = Annotated[Path | None, typer.Option(help="Instead of DATA: a folder of good images.")]
Defective = Annotated[Path | None, typer.Option(help="Instead of DATA: a folder of defective images.")]
Masks = Annotated[Path | None, typer.Option(help="Masks of the defective images, named like them.")]
Seed = Annotated[int, typer.Option(min=0, help="Draws the bootstrap samples.")]
Data = Annotated[
    Path | None, typer.Argument(help="A folder in the MVTec AD layout, or a CSV path,label,split,mask,group.")
]


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Add one option per field of `Settings` and `Resources` to a command that takes `**options`."""
    signature = inspect.signature(command)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=str | None,
            default=_option(name, field),
        )
        for name, field in fields().items()
        if name not in signature.parameters
    ]
    command.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    command.__annotations__ |= {parameter.name: str | None for parameter in added}
    return command


def given(options: dict[str, str | None]) -> dict[str, Any]:
    """Only the options the user typed."""
    return {name: value for name, value in options.items() if value is not None}


def _option(name: str, field: FieldInfo) -> Any:
    return typer.Option(
        None,
        f"--{name.replace('_', '-')}",
        help=_help(name, field),
        metavar=shown_type(field),
        show_default=False,
        rich_help_panel=panel_of(field),
        autocompletion=lambda: choices(field),
    )


def _help(name: str, field: FieldInfo) -> str:
    """The description of a setting, who reads it, and its default by method and preset where they differ."""
    differing = [
        f"{method}, preset {preset}: {as_typed(values[name])}"
        for method, options in OPTIONS_OF.items()
        for preset, values in options.PRESETS.items()
        if name in values
    ]
    methods = readers(name)
    named = f" Method{'s' if len(methods) > 1 else ''} {', '.join(methods)} only."
    only = named if 0 < len(methods) < len(OPTIONS_OF) else ""
    return f"{field.description}{only} Default {'; '.join([as_typed(field.default), *differing])}."
