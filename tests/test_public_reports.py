"""Every public report in the table is watched by a test that exists, or answered by words that a page really has."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from public_reports import REPORTS, Kind, Report

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"


@cache
def defined_in(file: str) -> frozenset[str]:
    """The test functions that a file defines."""
    body = ast.parse((TESTS / file).read_text(encoding="utf-8")).body
    return frozenset(each.name for each in body if isinstance(each, ast.FunctionDef) and each.name.startswith("test_"))


def in_one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("report", REPORTS, ids=[report.thread for report in REPORTS])
def test_a_report_is_watched_or_answered(report: Report) -> None:
    assert report.tests or report.documented
    for test in report.tests:
        file, name = test.split("::")
        assert name in defined_in(file), f"{test} is not there"
    if report.documented:
        page, words = report.documented
        assert in_one_line(words) in in_one_line((DOCS / page).read_text(encoding="utf-8"))


def test_each_thread_is_told_once_in_sentences() -> None:
    threads = [report.thread for report in REPORTS]
    assert len(set(threads)) == len(threads) >= 43
    assert [thread for thread in threads if not re.fullmatch(r"[\w.-]+/[\w.-]+#[1-9]\d*", thread)] == []
    assert [each for report in REPORTS for each in (report.reported, report.here) if each[-1] not in ".?"] == []
    assert {report.kind for report in REPORTS} == set(get_args(Kind))
