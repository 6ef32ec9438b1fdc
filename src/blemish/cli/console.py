"""What the commands print, and how: text and progress to stderr, results to stdout."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TextIO

from blemish.system.progress import Progress, shown

__all__ = ["fail", "give_up_output", "listen", "log", "print_json", "print_tree", "progress_bar", "say", "speak"]

ERROR = 2


@dataclass(frozen=True)
class Speech:
    """How much a command says."""

    quiet: bool = False
    verbose: bool = False
    log_file: Path | None = None


_speech = Speech()


def listen() -> None:
    """Begin a command line: say what is said by default."""
    global _speech
    _speech = Speech()


def speak(*, quiet: bool, verbose: bool, log_file: Path | None) -> None:
    """Say less, more, or to a file as well, from now on; what was asked for before the command's name stays."""
    global _speech
    _speech = Speech(quiet or _speech.quiet, verbose or _speech.verbose, log_file or _speech.log_file)
    if _speech.quiet and _speech.verbose:
        fail("--quiet and --verbose contradict each other; give one of them.")


def say(text: str) -> None:
    """Tell the user something that is not a result."""
    if not _speech.quiet:
        print(text, file=sys.stderr)
    _write_log(text)


def log(text: str) -> None:
    """Note a step, for --verbose and --log-file."""
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
    """Print a result for people: one line a value, nested ones indented."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            print(f"{indent}{name}")
            print_tree(value, indent + "  ")
        else:
            shown = (", ".join(map(str, value)) or "none") if isinstance(value, list) else value
            print(f"{indent}{name:<12} {shown}".rstrip())


def fail(sentence: str) -> NoReturn:
    """End with one sentence and the exit code of errors."""
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
    with shown(False if _speech.quiet else None) as report:
        begun: set[str] = set()

        def logged(step: str, done: int, total: int) -> None:
            report(step, done, total)
            if step not in begun:
                begun.add(step)
                log(f"{step}: {total} to do")
            if done == total:
                log(f"{step}: done")

        yield logged
