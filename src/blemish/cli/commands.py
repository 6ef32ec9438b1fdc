"""What all commands share: help in groups, -h, and what they say (--quiet, --verbose, --log-file, --lang)."""

import functools
import inspect
import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from blemish.cli import console
from blemish.cli.help import in_our_words, write_list, write_text, write_usage
from blemish.cli.language import Lang
from blemish.errors import OptionError
from blemish.options.takes import Panel, number_words
from blemish.system.outputs import Outputs, begins
from blemish.system.whole_file import sweep

__all__ = ["Command", "CommandLine", "Group", "LogFile", "Quiet", "Verbose", "claim_log"]

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
        options = {"cls": Group} | options
        super().__init__(no_args_is_help=True, rich_markup_mode=None, context_settings=context, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """Add a command that takes the shared options as well."""
        register = super().command(name, cls=Command, **options)
        return lambda function: register(_speaking(function))


class Spoken:
    """Help and words for wrong usage, in the language asked for; options in groups."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        typed = list(args)
        try:
            return super().parse_args(ctx, args)  # type: ignore[misc, no-any-return]
        except Exception as error:
            if isinstance(error, typer.BadParameter) and (sentence := _refusal(error, typed)):
                raise OptionError(sentence) from None
            _tell_in_language(error, ctx, typed)
            raise

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        write_usage(formatter, ctx.command_path, self.collect_usage_pieces(ctx))  # type: ignore[attr-defined]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        if self.help:  # type: ignore[attr-defined]
            write_text(formatter, self.help)  # type: ignore[attr-defined]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[tuple[str, str]]] = {name: [] for name in ["Arguments", *Panel, "Options", SPEAKING]}
        for parameter in self.get_params(ctx):  # type: ignore[attr-defined]
            if record := parameter.get_help_record(ctx):
                groups[_group(parameter)].append(in_our_words(*record))
        for name, records in groups.items():
            write_list(formatter, name, records)


class Group(Spoken, TyperGroup):
    """A group of commands."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except Exception as error:
            _tell_in_language(error, ctx, args)
            raise

    def format_options(self, ctx: Any, formatter: Any) -> None:
        super().format_options(ctx, formatter)
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        named = [(name, command.help or "") for name, command in commands if command and not command.hidden]
        write_list(formatter, "Commands", [(name, said.partition("\n\n")[0]) for name, said in named])


class Command(Spoken, TyperCommand):
    """A command. It begins by deleting what killed runs left beside the files and folders that it names."""

    def invoke(self, ctx: Any) -> Any:
        named = [os.path.realpath(value) for value in ctx.params.values() if isinstance(value, os.PathLike)]
        for folder in {*map(os.path.dirname, named), *filter(os.path.isdir, named)}:
            sweep(Path(folder))
        return super().invoke(ctx)


def _tell_in_language(error: Exception, ctx: Any, typed: list[str]) -> None:
    """Raise an OptionError that says in another language what Typer says of wrong usage in English."""
    if typed and console.language() != "en" and hasattr(error, "format_message"):
        said, helped = console.in_language(error.format_message()), console.in_language("Help:")
        sentence = f"{said} {helped} {ctx.command_path} --help"
        raise OptionError(sentence) from None


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


def claim_log(path: Path | None, *, force: bool = False) -> None:
    """Refuse a log file that is a file of another kind. Raises DataError."""
    if path:
        Outputs((), force=force).claim(path, begins("a log", "20"))


def _speaking(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes --quiet, --verbose, --log-file and --lang beside its own options."""

    @functools.wraps(command)
    def run(
        *,
        quiet: bool = False,
        verbose: bool = False,
        log_file: Path | None = None,
        lang: str | None = None,  # console.listen has heard it already: help is in this language as well
        **own: Any,
    ) -> None:
        claim_log(log_file, force=own.get("force", False))
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
    kinds = {"quiet": Quiet, "verbose": Verbose, "log_file": LogFile, "lang": Lang}
    added = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=None if kind in (LogFile, Lang) else False
        )
        for name, kind in kinds.items()
    ]
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in signature.parameters.values()]
    run.__signature__ = signature.replace(parameters=[*parameters, *added])  # type: ignore[attr-defined]
    run.__annotations__ = command.__annotations__ | kinds
    return run
