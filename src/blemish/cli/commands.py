"""What all commands share: help in groups, -h, and how much they say (--quiet, --verbose, --log-file)."""

import functools
import inspect
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from blemish.cli import console
from blemish.errors import OptionError
from blemish.options.takes import Panel, number_words

__all__ = ["CommandLine", "LogFile", "Quiet", "Verbose"]

SPEAKING = "Messages and help"
WIDEST = 140
"""Columns of help on a terminal that is wider; longer lines are hard to read."""

Quiet = Annotated[
    bool,
    typer.Option("--quiet", help="Print only results and errors: no progress, no notes.", rich_help_panel=SPEAKING),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="Print each step with its time (UTC) to stderr.", rich_help_panel=SPEAKING)
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log-file", help="Add steps, notes and errors with their time (UTC) to this file.", rich_help_panel=SPEAKING
    ),
]


class CommandLine(typer.Typer):
    """A group of commands that share their help and how much they say."""

    def __init__(self, **options: Any) -> None:
        context = {"help_option_names": ["-h", "--help"], "max_content_width": WIDEST}
        super().__init__(no_args_is_help=True, rich_markup_mode=None, context_settings=context, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """Add a command that takes the shared options as well."""
        register = super().command(name, cls=_Command, **options)
        return lambda function: register(_speaking(function))


class _Command(TyperCommand):
    """A command whose help lists its options in groups, and which says what an option takes where it got another."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        typed = list(args)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            if sentence := _refusal(error, typed):
                raise OptionError(sentence) from None
            raise

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[tuple[str, str]]] = {name: [] for name in ["Arguments", *Panel, "Options", SPEAKING]}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                groups[_group(parameter)].append(record)
        for name, records in groups.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)


def _refusal(error: typer.BadParameter, typed: list[str]) -> str | None:
    """What came and what is wanted, where an option that takes a number got something else."""
    option: Any = error.param
    kind = getattr(getattr(option, "type_descriptor", None), "annotation", None)
    if kind not in (int, float) or option.param_type_name != "option":
        return None
    came = [
        value
        for word, following in zip(typed, [*typed[1:], ""], strict=True)
        for name in option.opts
        for value in ([following] if word == name else [word.partition("=")[2]] if word.startswith(f"{name}=") else [])
    ]
    return f"Option {option.opts[0]}={came[-1]!r} cannot be used: give {number_words(kind, option.min, option.max)}."


def _group(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return "Arguments"
    if parameter.name == "help":
        return SPEAKING
    return getattr(parameter, "rich_help_panel", None) or "Options"


def _speaking(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes --quiet, --verbose and --log-file beside its own options."""

    @functools.wraps(command)
    def run(*, quiet: bool = False, verbose: bool = False, log_file: Path | None = None, **own: Any) -> None:
        console.speak(quiet=quiet, verbose=verbose, log_file=log_file)
        console.log(f"begins: {shlex.join(['blemish', *sys.argv[1:]])}")
        began = time.monotonic()
        code: object = 2  # of errors, which are told further out
        try:
            command(**own)
            code = 0
        except SystemExit as ended:
            code = ended.code
            raise
        finally:
            console.log(f"ends after {time.monotonic() - began:.1f} s, exit code {code}")

    signature = inspect.signature(command)
    kinds = {"quiet": Quiet, "verbose": Verbose, "log_file": LogFile}
    added = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=None if name == "log_file" else False
        )
        for name, kind in kinds.items()
    ]
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in signature.parameters.values()]
    run.__signature__ = signature.replace(parameters=[*parameters, *added])  # type: ignore[attr-defined]
    run.__annotations__ = command.__annotations__ | kinds
    return run
