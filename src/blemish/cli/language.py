"""Which language a command speaks: --lang, or the locale where the console can print Japanese."""

import locale
import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import typer

from blemish.errors import OptionError

__all__ = ["LANGUAGES", "Lang", "asked_for", "unprintable"]

LANGUAGES = ("en", "ja")
SAMPLE = "日本語、。「」"
"""What a console must be able to print before Japanese is spoken to it."""

Lang = Annotated[
    str | None,
    typer.Option(
        "--lang",
        metavar="<en|ja>",
        help="Language of help and messages: en or ja; that of the locale by default.",
        rich_help_panel="Messages and help",
        autocompletion=lambda: list(LANGUAGES),
    ),
]


def asked_for(arguments: Sequence[str]) -> str:
    """The language of a command line: what --lang says, wherever it stands, else the locale. Raises OptionError."""
    typed = [following for word, following in pairwise([*arguments, ""]) if word == "--lang"]
    typed += [word.removeprefix("--lang=") for word in arguments if word.startswith("--lang=")]
    if typed and typed[-1] not in LANGUAGES:
        raise OptionError(f"Option lang={typed[-1]!r} cannot be used: give {' or '.join(LANGUAGES)}.")
    return typed[-1] if typed else _of_locale()


def _of_locale() -> str:
    """Japanese where the environment asks for it; on Windows, where that says nothing, where the system does."""
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    name = next(filter(None, names), None)
    if name is None and os.name == "nt":
        name = locale.getlocale()[0]
    return "ja" if (name or "").lower().startswith("ja") else "en"


def unprintable() -> str | None:
    """The encoding of a stream that cannot print Japanese; None where both can."""
    for stream in (sys.stderr, sys.stdout):
        encoding = getattr(stream, "encoding", None) or "utf-8"
        try:
            SAMPLE.encode(encoding)
        except (UnicodeEncodeError, LookupError):
            return str(encoding)
    return None
