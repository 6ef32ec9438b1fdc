"""A Japanese page says what the English one says: a change of one that forgets the other fails, and says where.

Compared section by section: level, code, pictures and links, the shape of tables, and every figure. English may spell a
number ("two cores") where Japanese needs a digit, so such digits are allowed on its side and not demanded.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = ["README", "docs/quickstart", "docs/operating-point", "docs/station"]
"""Pages in two languages: NAME.md in English, NAME.ja.md in Japanese."""

SPELT = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
TARGET = re.compile(r"\]\(([^)\s]+)\)")
NUMBER = re.compile(r"[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?(?:e-?[0-9]+)?")


def both_languages(target: str) -> str:
    """Where a link leads, whichever language; a Japanese page links to Japanese ones where there are any."""
    page, _, anchor = target.partition("#")
    return page.replace(".ja.md", ".md") + ("#" if anchor else "")


@dataclass(frozen=True)
class Section:
    """What both editions of a section have in common."""

    title: str
    level: int
    blocks: list[str]
    """Its code blocks, line by line, without their comments."""
    code: "Counter[str]"
    links: "Counter[str]"
    """Where its links and pictures lead."""
    tables: list[int]
    """The number of bars in each row of its tables."""
    numbers: "Counter[str]"
    spelt: "Counter[str]"
    """Numbers that are written as English words."""


def sections(page: str) -> list[Section]:
    """The page from heading to heading; a # inside a code block is none."""
    outside = FENCED.sub(lambda block: "\0" * len(block[0]), page)
    starts = [heading.start() for heading in re.finditer(r"^#+ ", outside, re.MULTILINE)]
    assert starts[0] == 0, "a page begins with its title"
    return [section(page[start:end]) for start, end in zip_longest(starts, starts[1:])]


def section(text: str) -> Section:
    heading = text.partition("\n")[0]
    fenced = "\n".join(FENCED.findall(text)).split("\n")
    prose = FENCED.sub("", text)
    words = CODE.sub(" ", TARGET.sub("]", prose)) + "\n".join(line.partition("#")[2] for line in fenced)
    return Section(
        title=heading.lstrip("# "),
        level=len(heading) - len(heading.lstrip("#")),
        blocks=[line.partition("#")[0].rstrip() for line in fenced],
        code=Counter(CODE.findall(prose)),
        links=Counter(both_languages(target) for target in TARGET.findall(prose)),
        tables=[line.count("|") for line in prose.split("\n") if line.startswith("|")],
        numbers=Counter(NUMBER.findall(words)),
        spelt=Counter(str(SPELT.index(word) + 1) for word in re.findall(r"[a-z]+", words.lower()) if word in SPELT),
    )


def differences(english: str, japanese: str) -> list[str]:
    """A sentence for everything that one edition has and the other lacks."""
    ours, theirs = sections(english), sections(japanese)
    if [each.level for each in ours] != [each.level for each in theirs]:
        titles = " / ".join(", ".join(f"{'#' * s.level} {s.title}" for s in page) for page in (ours, theirs))
        return [f"The headings differ in number or level: {titles}."]
    return [sentence for one, other in zip(ours, theirs, strict=True) for sentence in differing(one, other)]


def differing(english: Section, japanese: Section) -> Iterable[str]:
    where = f'"{english.title}" ("{japanese.title}")'
    for one, other in zip_longest(english.blocks, japanese.blocks):
        if one != other:
            yield f"{where}: a line of code is {one!r} in English and {other!r} in Japanese."
    if english.tables != japanese.tables:
        yield f"{where}: the tables differ in rows or columns, {english.tables} and {japanese.tables} bars a row."
    sides = {
        "code": (english.code - japanese.code, japanese.code - english.code),
        "link": (english.links - japanese.links, japanese.links - english.links),
        "number": (english.numbers - japanese.numbers, japanese.numbers - english.numbers - english.spelt),
    }
    for what, (only_english, only_japanese) in sides.items():
        if only_english:
            yield f"{where}: {what} in English that the Japanese lacks: {listed(only_english)}."
        if only_japanese:
            yield f"{where}: {what} in Japanese that the English lacks: {listed(only_japanese)}."


def listed(things: "Counter[str]") -> str:
    return ", ".join(sorted(things.elements()))


def edition(page: str, language: str) -> str:
    return (ROOT / f"{page}{language}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_both_editions_say_the_same(page: str) -> None:
    found = differences(edition(page, ""), edition(page, ".ja"))
    assert not found, f"{page}.md and {page}.ja.md must be changed together:\n" + "\n".join(found)


@pytest.mark.parametrize("page", PAGES)
def test_each_links_to_the_other_at_its_top(page: str) -> None:
    name = page.rpartition("/")[2]
    assert edition(page, "").split("\n")[2] == f"[日本語]({name}.ja.md)"
    assert edition(page, ".ja").split("\n")[2] == f"[English]({name}.md)"


def test_every_page_in_japanese_is_compared() -> None:
    there = [path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.ja.md"), *(ROOT / "docs").rglob("*.ja.md"))]
    written = {"docs/cli.ja.md"}  # by make docs, from the commands' own help
    assert set(there) - written == {f"{page}.ja.md" for page in PAGES}


PAGE = """# Part

Two cores, 1,772 MB ([more](docs/a.md)).

## Try

```sh
blemish fit good/  # 30 images
```

| a | b |
|---|---|
| `fit` | 0.5 s |
"""
OTHER = """# 部品

2コア、1,772 MB([詳しく](docs/a.md))。

## 試す

```sh
blemish fit good/      # 画像30枚
```

| 甲 | 乙 |
|---|---|
| `fit` | 0.5秒 |
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("1,772", "1,773", '"Part" ("部品"): number in English that the Japanese lacks: 1,773'),
        ("0.5 s", "0.5 s, 7 s", '"Try" ("試す"): number in English that the Japanese lacks: 7'),
        ("Two cores", "Cores", "number in Japanese that the English lacks: 2"),
        ("30 images", "40 images", "the Japanese lacks: 40"),
        ("fit good/", "fit better/", "'blemish fit better/' in English and 'blemish fit good/'"),
        ("`fit`", "`find`", "code in English that the Japanese lacks: find"),
        ("docs/a.md", "docs/b.md", "link in Japanese that the English lacks: docs/a.md"),
        ("| `fit` | 0.5 s |", "| `fit` | 0.5 s | |", "the tables differ in rows or columns"),
        ("## Try", "### Try", "The headings differ in number or level: # Part, ### Try / # 部品, ## 試す."),
        ("## Try", "Try", "The headings differ in number or level"),
    ],
)
def test_what_differs_is_said(old: str, new: str, said: str) -> None:
    assert differences(PAGE, OTHER) == []
    assert PAGE.count(old) == 1
    assert any(said in sentence for sentence in differences(PAGE.replace(old, new), OTHER))
