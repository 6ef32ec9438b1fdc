"""The pages speak Japanese as well: every label of the templates and every sentence of their scripts."""

import re
from pathlib import Path

from blemish.detector import Detector
from blemish.language.translation import translated
from blemish.service.pages.said import ONE, SCRIPT_SAYS
from blemish.service.pages.show import teller

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "src/blemish/service/pages"
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
NAMES = {"CSV", "JSON Lines", "Parquet", "pending"}
"""Pairs in the templates that are no sentences."""


def _template_says() -> set[str]:
    """What stands in `say("...")`, and in the tables of words that `say` chooses from."""
    text = "".join(path.read_text("utf-8") for path in (PAGES / "templates").glob("*.html"))
    chosen = "".join(re.findall(r"\{(?:\"good\"|\"fit\"): [^}]*\}", text))
    pairs = re.findall(r'\("\w*", (?:"\w", )?"([^"]{2,})"\)', text)
    pairs += re.findall(r'\("/\w*", "([^"]+)", "[^"]*"\)', text)
    return {
        *re.findall(r"""say\((?:"([^"]+)")""", text),
        *re.findall(r"""say\((?:'([^']+)')""", text),
        *re.findall(r': "([^"]+)"', chosen),
        *pairs,
    }


def test_every_label_of_the_pages_is_there_in_japanese() -> None:
    said = _template_says() | set(re.findall(r'say\(\s*"([^"]+)"', (PAGES / "said.py").read_text("utf-8")))
    assert len(said) > 100
    assert {each for each in said | set(SCRIPT_SAYS) if not JAPANESE.search(translated(each))} - NAMES == set()


def test_the_scripts_are_given_every_sentence_they_say() -> None:
    scripts = "".join(path.read_text("utf-8") for path in (ROOT / "page/src").glob("*.ts"))
    assert set(re.findall(r'say\(\s*"([^"]+)"', scripts)) == set(SCRIPT_SAYS)


def test_of_one_english_says_one_and_japanese_the_same_as_of_many() -> None:
    english, japanese = teller("en"), teller("ja")
    teach = "See what teaching these {count} would change"
    assert english(teach, count=1) == "See what teaching this part would change"
    assert english(teach, count=2) == "See what teaching these 2 would change"
    assert english("{count} pictures", count=1) == "1 picture"
    for many in ONE:
        assert japanese(many, count=1, missed=1) == japanese(many, count=2, missed=1).replace("2", "1", 1)
    assert set(ONE) <= _template_says() | set(SCRIPT_SAYS)


def test_how_many_verdicts_would_change_is_said_of_one_part_as_of_many() -> None:
    """It said "1 of the last 1 parts"."""
    said = next(each for each in SCRIPT_SAYS if "would get another verdict" in each)
    assert said.format(count=1, all=1, threshold=2).startswith("Of the parts judged last, 1 of 1 would get")


def test_roles_and_scopes_have_japanese_names() -> None:
    from blemish.service.people.access import ROLES, SCOPES

    assert all(JAPANESE.search(translated(each)) for each in (*ROLES, *SCOPES))


def test_what_a_threshold_promises_is_said_in_japanese(detector: Detector) -> None:
    said = translated(str(detector.manifest.calibration))
    assert JAPANESE.search(said)
    assert "good parts" not in said
