"""How help is laid out, in the language asked for.

English is left to Typer. Japanese has no spaces between words and characters two columns wide, so it is broken here.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from blemish.cli import console

__all__ = ["columns", "in_our_words", "stacked", "wrapped", "write_list", "write_text", "write_usage"]

_PIECE = re.compile(r"\s+|(?:[\u3000-\u9fff\uff00-\uffef]|[^\s\u3000-\u9fff\uff00-\uffef]+)[、。,):」!?・ー]*")
"""What is kept on one line: a wide character or a run of others, with the punctuation that must not begin a line."""
FIRST_COLUMN = 30
"""Columns for an option's name, at most; a longer one has a line of its own."""


_KIND = re.compile(r"<(?:(list)\[)?([\w,]+?)(?: range)?\]?>")
_WORDS = {"str": "text", "int": "number", "float": "number", "Path": "path"}
_EXTRA = re.compile(r"  \[([^\[\]]+)\]$")
"""What Typer puts behind the help of an option: default, range, required."""


def in_our_words(name: str, said: str) -> tuple[str, str]:
    """An option and its help as Typer tells them, in the words that the options of fit are told in.

    A list of texts is one of images: folders, files or patterns.
    """
    name = _KIND.sub(_kind, name)
    extra = _EXTRA.search(said)
    if not extra:
        return name, said
    said, told = said[: extra.start()], []
    for each in extra[1].split("; "):
        if each.startswith("default: "):
            told.append(f"Default {each.removeprefix('default: ')}")
        elif each.startswith("x>="):
            told.append(f"{'at' if told else 'At'} least {each.removeprefix('x>=')}")
    said = f"{said} {'; '.join(told)}." if told else said
    return name, f"{said}  [required]" if "required" in extra[1].split("; ") else said


def _kind(found: re.Match[str]) -> str:
    if found[1] == "list":
        return "<path>"
    return f"<{','.join(_WORDS.get(word, word) for word in found[2].split(','))}>"


def columns(text: str) -> int:
    """The width of a text on a terminal, where East Asian characters take two columns."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns."""
    lines = [""]
    for piece in _PIECE.findall(text):
        if lines[-1] and columns(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return [line.rstrip() for line in lines]


def stacked(text: str, widest: int = 0) -> str:
    """The cell of a table; where it is wider than this, what is in brackets or behind a comma has a line of its own.

    Left to itself, a table breaks between a number and its unit, and cuts Japanese off.
    """
    return text if columns(text) <= widest else re.sub(r"([,、]) ?", r"\1\n", re.sub(r" ?([((])", r"\n\1", text))


def write_usage(formatter: Any, command: str, pieces: Sequence[str]) -> None:
    """The line on how a command is typed."""
    formatter.write_usage(command, " ".join(pieces), prefix=f"{console.in_language('Usage:')} ")


def write_text(formatter: Any, text: str) -> None:
    """What a command does, in paragraphs."""
    paragraphs = [console.in_language(" ".join(each.split())) for each in text.split("\n\n")]
    formatter.write_paragraph()
    with formatter.indentation():
        if console.language() == "en":
            formatter.write_text(text)
            return
        margin = " " * formatter.current_indent
        laid = [
            "\n".join(margin + line for line in wrapped(each, formatter.width - len(margin))) for each in paragraphs
        ]
        formatter.write("\n\n".join(laid) + "\n")


def write_list(formatter: Any, heading: str, records: Sequence[tuple[str, str]]) -> None:
    """A group of options or commands, each with what it means; nothing where the group is empty."""
    if not records:
        return
    with formatter.section(console.in_language(heading)):
        if console.language() == "en":
            formatter.write_dl(records)
            return
        first = min(max(columns(name) for name, _ in records), FIRST_COLUMN) + 2
        margin = " " * formatter.current_indent
        for name, said in records:
            lines = wrapped(console.in_language(said), formatter.width - first - len(margin))
            if columns(name) > first - 2:
                formatter.write(f"{margin}{name}\n")
                name = ""
            formatter.write(f"{margin}{name}{' ' * (first - columns(name))}{lines[0]}\n")
            formatter.write("".join(f"{margin}{' ' * first}{line}\n" for line in lines[1:]))
