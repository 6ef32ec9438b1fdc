"""Turn `Settings` into command-line options, so that each option is described in one place only."""

import inspect
from collections.abc import Callable
from typing import Any

import typer

from blemish.options.methods import OPTIONS_OF
from blemish.options.settings import Resources, Settings, readers

__all__ = ["given", "with_settings"]

_FIELDS = Settings.model_fields | Resources.model_fields


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Add one option per field of `Settings` and `Resources` to a command that takes `**options`."""
    signature = inspect.signature(command)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=str | None,
            default=typer.Option(None, f"--{name.replace('_', '-')}", help=_help(name), show_default=False),
        )
        for name in _FIELDS
    ]
    command.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    command.__annotations__ |= {parameter.name: str | None for parameter in added}
    return command


def given(options: dict[str, str | None]) -> dict[str, Any]:
    """Only the options the user typed."""
    return {name: value for name, value in options.items() if value is not None}


def _help(name: str) -> str:
    """The description of a setting, who reads it, and its default by method and preset where they differ."""
    field = _FIELDS[name]
    differing = [
        f"{method}, preset {preset}: {_shown(values[name])}"
        for method, options in OPTIONS_OF.items()
        for preset, values in options.PRESETS.items()
        if name in values
    ]
    only = f" Method {', '.join(readers(name))} only." if 0 < len(readers(name)) < len(OPTIONS_OF) else ""
    return f"{field.description}{only} Default {'; '.join([_shown(field.default), *differing])}."


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
