"""What the commands print, and how: text and progress to stderr, results to stdout, in the language asked for."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TextIO

from blemish.cli.language import asked_for, unprintable
from blemish.options.takes import as_typed
from blemish.system.progress import Progress, shown

__all__ = [
    "fail",
    "give_up_output",
    "in_language",
    "language",
    "listen",
    "log",
    "print_json",
    "print_tree",
    "progress_bar",
    "report_language",
    "said_to",
    "say",
    "speak",
    "tell",
]

ERROR = 2


@dataclass(frozen=True)
class Speech:
    """How much a command says, and in which language."""

    quiet: bool = False
    verbose: bool = False
    log_file: Path | None = None
    asked: str = "en"
    """The language of what is written to files."""
    language: str = "en"
    """The language of what is printed: English where the console cannot print the one asked for."""


_speech = Speech()
_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)
"""Who is told, in English, what would be said here."""


def listen(arguments: Sequence[str]) -> None:
    """Begin a command line: say what is said by default, in the language asked for. Raises OptionError."""
    global _speech
    _speech = Speech()
    asked = asked_for(arguments)
    encoding = unprintable() if asked == "ja" else None
    _speech = Speech(asked=asked, language="en" if encoding else asked)
    if encoding and "--quiet" not in arguments:
        say(f"This console ({encoding}) cannot print Japanese: messages are in English. PYTHONUTF8=1 makes it UTF-8.")


def language() -> str:
    """The language of what is printed, en or ja."""
    return _speech.language


def report_language() -> str:
    """The language of what is written to files, en or ja."""
    return _speech.asked


def in_language(text: str, *, value: bool = False) -> str:
    """An English sentence in the language of what is printed; as it is where there is none in that language.

    `value`: also as what stands within sentences, or is too short to be known as one.
    """
    if _speech.language == "en":
        return text
    from blemish.language.translation import translated

    return translated(text, value=value)


def speak(*, quiet: bool, verbose: bool, log_file: Path | None) -> None:
    """Say less, more, or to a file as well, from now on; what was asked for before the command's name stays."""
    global _speech
    _speech = replace(
        _speech,
        quiet=quiet or _speech.quiet,
        verbose=verbose or _speech.verbose,
        log_file=log_file or _speech.log_file,
    )
    if _speech.quiet and _speech.verbose:
        fail("--quiet and --verbose contradict each other; give one of them.")


@contextmanager
def said_to(listener: Callable[[str], None]) -> Iterator[None]:
    """Let someone else say, where the user is, what is said while the block runs."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def say(text: str) -> None:
    """Tell the user something that is not a result."""
    if listener := _listener.get():
        listener(text)
        return
    text = in_language(text)
    if not _speech.quiet:
        print(text, file=sys.stderr)
    _write_log(text)


def tell(sentence: str) -> None:
    """Print a line of a result for people."""
    print(in_language(sentence))


def log(text: str) -> None:
    """Note a step, for --verbose and --log-file."""
    text = in_language(text)
    if _speech.verbose:
        print(_stamped(text), file=sys.stderr)
    _write_log(text)


def _write_log(text: str) -> None:
    if _speech.log_file:
        with _speech.log_file.open("a", encoding="utf-8") as file:
            file.write(_stamped(text) + "\n")


def _stamped(text: str) -> str:
    return f"{datetime.now(UTC).isoformat(timespec='seconds').replace('+00:00', 'Z')} {text}"


def print_json(value: Any) -> None:
    """Print a result for programs: one JSON document, escaped where the console's encoding has no such character."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2, allow_nan=False, default=str)
    print(text)


def print_tree(values: Mapping[str, Any], indent: str = "") -> None:
    """Print a result for people: one line a value, nested ones indented. Names stay those of the JSON."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            print(f"{indent}{name}")
            print_tree(value, indent + "  ")
        else:
            listed = value if isinstance(value, list | tuple) else [value]
            shown = ", ".join(in_language(_in_a_word(each)) for each in listed) or in_language("none")
            print(f"{indent}{name:<12} {shown}".rstrip())


def _in_a_word(value: Any) -> str:
    """A value as options are typed, numbers to six digits: --json has them all."""
    return f"{value:.6g}" if isinstance(value, float) else as_typed(value)


def fail(sentence: str) -> NoReturn:
    """End with one sentence and the exit code of errors."""
    sentence = in_language(sentence)
    try:
        print(f"blemish: {sentence}", file=sys.stderr)
    except OSError:
        _drop(sys.stderr)
    with suppress(OSError):  # the log file may be what failed
        _write_log(f"error: {sentence}")
    raise SystemExit(ERROR)


def give_up_output() -> None:
    """Forget what stdout still holds where it cannot be written, or Python would fail once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        _drop(sys.stdout)


def _drop(stream: TextIO) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show long steps on stderr, as bars where someone watches, else as a line every few seconds; log their ends."""
    with shown(False if _speech.quiet else None, partial(in_language, value=True)) as report:
        begun: set[str] = set()

        def logged(step: str, done: int, total: int) -> None:
            report(in_language(step), done, total)
            if step not in begun:
                begun.add(step)
                log(f"{step}: {total} to do")
            if done == total:
                log(f"{step}: done")

        yield logged
