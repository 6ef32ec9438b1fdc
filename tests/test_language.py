"""Every sentence has a Japanese one, and a value never gets lost on the way."""

import re
from pathlib import Path

import pytest
import typer
from messages import HOLE, SOURCE, messages

from blemish.cli.help import columns, in_our_words, stacked, wrapped
from blemish.cli.main import app
from blemish.language.numbers import counted, percent
from blemish.language.translation import entries, translated
from blemish.tuning.defects import CONTRASTS, KINDS, SIZES

DOCS = Path(__file__).parent.parent / "docs"
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def test_every_message_is_there_in_japanese() -> None:
    left = {each.replace(HOLE, "{}") for each in messages() if not JAPANESE.search(translated(each))}
    assert left == set(), "translate these in src/blemish/language/ja/, not under [values], which is for parts of them"


def test_every_step_of_long_work_has_a_japanese_name() -> None:
    """A template took "good images" for a number of images."""
    step = re.compile(r"\b(?:progress|report|said)\(\"([a-z ]+)\", ")
    steps = {name for path in SOURCE.rglob("*.py") for name in step.findall(path.read_text("utf-8"))}
    assert {"patches", "good images", "inspect"} <= steps
    assert {name for name in steps if re.search(r"[a-z]", translated(name, value=True))} == set()
    line = "good images: 3 of 40, about 7 s left".replace("good images", translated("good images"))
    assert translated(line, value=True) == "良品の画像: 40のうち3、残り約7秒"


def test_all_help_is_there_in_japanese() -> None:
    left = {said for said in _help(typer.main.get_command(app)) if not JAPANESE.search(translated(said))}
    assert left == set(), "translate these in src/blemish/language/ja/"


def _help(command: object) -> set[str]:
    """What the help of a command and of those below it says, each paragraph and each option by itself."""
    context = command.make_context("blemish", [], resilient_parsing=True)  # type: ignore[attr-defined]
    said = {" ".join(paragraph.split()) for paragraph in command.help.split("\n\n")}  # type: ignore[attr-defined]
    for parameter in command.get_params(context):  # type: ignore[attr-defined]
        record = parameter.get_help_record(context)
        said |= {in_our_words(*record)[1], parameter.help} if record else set()
    for below in getattr(command, "commands", {}).values():
        said |= _help(below)
    return said


def test_a_translation_takes_its_values_from_the_sentence() -> None:
    for entry in entries():
        asked = set(re.findall(r"\{(\w+)(?:![tl])?\}", entry.japanese))
        given = re.findall(r"\{(\w+)\}", entry.english)
        assert len(given) == len(set(given)), f"a name twice: {entry.english}"
        assert asked <= set(given), f"no such value: {entry.japanese}"
        assert not re.search(r"[､｡｢｣]", entry.japanese), f"half-width punctuation: {entry.japanese}"


@pytest.mark.parametrize(
    ("english", "japanese"),
    [
        ("部品 1.png does not exist; check the path.", "部品 1.png がありません。パスを確認してください。"),
        (
            "images/ holds no images (it is empty); name a folder that does, or images/** to search all below it.",
            "空です",
        ),
        (
            "Option size='banana' cannot be used: give auto, native, a number from 32 to 8192 (224), or height x "
            "width in that range (320x256).",
            "32から8192までの数",
        ),
        (
            "a, b, c and 2 more (5 in all) are named in t.csv but absent; paths count from the folder of the CSV.",
            "ほか2件(計5件)",
        ),
        (
            "The last 12.5 % of the image are one constant value, as in no good image: was it taken whole?",
            "画像の終わりの12.5 %が同じ値です",
        ),
        (
            "3 left out: files that end in .heic (2); sub-folders, which recursive reads (1).",
            "3件を除外しました: 拡張子が.heicのファイル2件、サブフォルダー(recursive なら読みます)1件。",
        ),
        (
            "same part: 12 images count as 9 parts, since some show a part that another shows too (copies, or "
            "pictures of one part; blemish doctor lists them). Give groups where that is wrong.",
            "同じ部品: 画像12枚を、9個の部品として数えます",
        ),
        (
            "3 images look like one part shown several times (light, crop and noise apart); check the proposed groups "
            "(--groups FILE writes them as a CSV) and fit on that CSV, so that no image is judged by a memory of its "
            "own part.",
            "3枚は、同じ部品(1個)を複数回",
        ),
        ("Option effort='best' cannot be used: give quick, standard or thorough.", "quick、standard、thorough"),
        ("448:3+4: 1,881 rows x 152, radius 23.16; exact search", "448:3+4: 1,881行 x 152、半径 23.16、厳密な探索"),
        (
            "The key k.pub cannot be read (No such file or directory).",
            "鍵 k.pub を読み込めません(ファイルまたはフォルダーがありません)。",
        ),
        ("Time: about 11 s: 点検 0.41 s, パッチ 6.3 s.", "(点検 0.41 s、パッチ 6.3 s)"),
        ("Nobody wrote this sentence or that one.", "Nobody wrote this sentence or that one."),
    ],
)
def test_sentences_come_with_their_values(english: str, japanese: str) -> None:
    assert japanese in translated(english)


def test_japanese_is_broken_at_the_width_of_a_terminal() -> None:
    text = "良品の画像だけから良品の特徴を学習し、それと異なる箇所を検出して、--overlays FOLDER に保存します。"
    lines = wrapped(text, 20)
    assert all(columns(line) <= 22 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert not any(line.startswith(("、", "。", ")")) for line in lines)


def test_help_has_one_form_for_types_and_defaults() -> None:
    assert in_our_words("--trusted <list[Path]>", "Keys.") == ("--trusted <path>", "Keys.")
    assert in_our_words("--seed <int range>", "A seed.  [default: 0; x>=0]") == (
        "--seed <number>",
        "A seed. Default 0; at least 0.",
    )
    assert in_our_words("images... <list[str]>", "Good ones.  [required]") == (
        "images... <path>",
        "Good ones.  [required]",
    )
    assert in_our_words("--mean <float,float>...", "Means.  [x>=1]") == (
        "--mean <number,number>...",
        "Means. At least 1.",
    )


def test_no_help_shows_a_type_of_python() -> None:
    shown = "".join((DOCS / name).read_text("utf-8") for name in ("cli.md", "cli.ja.md"))
    assert re.findall(r"<(?:list|str|int|float)\b[^>]*>|\[default:|x>=", shown) == []


def test_cells_that_are_too_wide_are_broken_between_their_parts() -> None:
    assert stacked("2.0 % (4 of 200)") == "2.0 %\n(4 of 200)"
    assert stacked("0 good, 1 defective") == "0 good,\n1 defective"
    assert stacked("良品0枚、不良品1枚", 10) == "良品0枚、\n不良品1枚"
    assert stacked("0 good, 1 defective", 40) == "0 good, 1 defective"


def test_shares_have_one_form() -> None:
    assert [percent(share) for share in (None, 0, 0.02, 0.0004, 0.9996, 1)] == [
        "-", "0.0 %", "2.0 %", "0.04 %", "99.96 %", "100.0 %",
    ]  # fmt: skip
    assert (counted(4, 200), counted(0, 0)) == ("2.0 % (4 of 200)", "- (0 of 0)")


def test_kinds_of_made_defects_have_japanese_names() -> None:
    for word in (*KINDS, *SIZES, *CONTRASTS):
        assert JAPANESE.search(translated(word)), word
