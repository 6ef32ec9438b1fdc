"""English sentences in Japanese, found by their template in the files of `ja/`.

Code says everything in English, as sentences with values in them; the command line and the report translate at their
edge, so that no room below has to know of languages. An entry's key is the English sentence with a name in braces for
each value, its content the Japanese one. A value is taken over as it stands; `{name!t}` translates it in its turn, also
by what stands in the table `[values]`, which is too short to be looked for anywhere else, and a list with semicolons
part by part; `{name!l}` is a list whose commas become Japanese ones.
"""

import functools
import re
import tomllib
from importlib.resources import files
from typing import NamedTuple

__all__ = ["Entry", "entries", "translated"]

_HOLE = re.compile(r"\{(\w+)\}")
_FILLED = re.compile(r"\{(\w+)(![tl])?\}")


class Entry(NamedTuple):
    """A sentence in both languages."""

    english: str
    japanese: str
    only_value: bool

    @property
    def pieces(self) -> list[str]:
        """What stands between the values."""
        return _HOLE.split(self.english)[::2]

    def answer(self, text: str) -> str | None:
        """The Japanese of `text`, with its values; None where it is another sentence."""
        if not all(piece in text for piece in self.pieces):
            return None
        found = _pattern(self.english).fullmatch(text)
        return None if found is None else _FILLED.sub(functools.partial(_value, found), self.japanese)


def translated(text: str, *, value: bool = False) -> str:
    """An English sentence in Japanese, or as it is where no entry of the files has it; `value`: within a sentence."""
    exact, templates = _by_kind(value)
    if text in exact:
        return exact[text]
    return next((answer for entry in templates if (answer := entry.answer(text)) is not None), text)


@functools.cache
def entries() -> tuple[Entry, ...]:
    """Everything in `ja/`. Raises tomllib.TOMLDecodeError where a file has one sentence twice."""
    folder = files("blemish.language") / "ja"
    tables = [tomllib.loads(file.read_text("utf-8")) for file in sorted(folder.iterdir(), key=lambda file: file.name)]
    return tuple(
        Entry(english, japanese, only_value)
        for table in tables
        for only_value, part in ((True, table.pop("values", {})), (False, table))
        for english, japanese in part.items()
    )


@functools.cache
def _by_kind(value: bool) -> tuple[dict[str, str], list[Entry]]:
    """Sentences without values; then the others, those with most words of their own first."""
    wanted = [entry for entry in entries() if value or not entry.only_value]
    exact = {entry.english: entry.japanese for entry in wanted if len(entry.pieces) == 1}
    templates = [entry for entry in wanted if len(entry.pieces) > 1]
    return exact, sorted(templates, key=lambda entry: -sum(map(len, entry.pieces)))


@functools.cache
def _pattern(english: str) -> re.Pattern[str]:
    parts = _HOLE.split(english)
    return re.compile(
        "".join(re.escape(part) if i % 2 == 0 else f"(?P<{part}>.*?)" for i, part in enumerate(parts)), re.S
    )


def _value(found: re.Match[str], hole: re.Match[str]) -> str:
    value = found[hole[1]]
    if not hole[2]:
        return value
    if hole[2] == "!l":
        return value.replace(", ", "、")
    parts = value.split("; ")
    answers = [translated(part, value=True) for part in parts]
    if all(answer != part for part, answer in zip(parts, answers, strict=True)):
        return "、".join(answers)
    return translated(value, value=True)
