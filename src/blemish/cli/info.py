"""blemish info and blemish doctor: what a model is, and what this machine offers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from blemish.cli.console import print_json

__all__ = ["doctor", "info"]

Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


def info(
    model: Annotated[Path, typer.Argument(help="A model file made by blemish fit.")],
    json: Json = False,
    provider: Annotated[str, typer.Option(help="Hardware that runs the network.")] = "cpu",
) -> None:
    """Say what a model was fitted on, how, with which threshold, and which provider runs it."""
    from blemish.detector import load

    found = load(model, provider=provider).info()
    if json:
        print_json(found)
    else:
        _print_tree(found)


def doctor(json: Json = False) -> None:
    """Check this installation: versions, providers, threads, writable folders, the built-in backbone."""
    from blemish.doctor import examine

    found = examine()
    if json:
        print_json(found)
    else:
        _print_tree(found)
    if found["problems"]:
        raise SystemExit(2)


def _print_tree(values: Mapping[str, Any], indent: str = "") -> None:
    for name, value in values.items():
        if isinstance(value, Mapping):
            print(f"{indent}{name}")
            _print_tree(value, indent + "  ")
        else:
            shown = (", ".join(map(str, value)) or "none") if isinstance(value, list) else value
            print(f"{indent}{name:<12} {shown}".rstrip())
