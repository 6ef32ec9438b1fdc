"""What the commands print, and how: text and progress to stderr, results to stdout."""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, NoReturn, TextIO

from blemish.system.progress import Progress, shown

__all__ = ["fail", "give_up_output", "print_json", "print_tree", "progress_bar", "say"]

ERROR = 2


def say(text: str) -> None:
    """Tell the user something that is not a result."""
    print(text, file=sys.stderr)


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
        say(f"blemish: {sentence}")
    except OSError:
        _drop(sys.stderr)
    raise SystemExit(ERROR)


def give_up_output() -> None:
    """Forget what stdout still holds where it cannot be written, or Python would fail once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        _drop(sys.stdout)


def _drop(stream: TextIO) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def progress_bar() -> AbstractContextManager[Progress]:
    """Show long steps on stderr: as bars where someone watches, else as a line every few seconds."""
    return shown()
