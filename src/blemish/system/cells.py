"""Cells of CSV tables that no spreadsheet takes for a formula."""

__all__ = ["is_formula", "quoted"]

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
"""What formulas begin with; a spreadsheet in Japanese takes wide signs for narrow ones."""


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would run a cell of this text."""
    return text.startswith(STARTS)


def quoted(text: str) -> str:
    """The text of a cell, behind a quotation mark where it would be run."""
    return f"'{text}" if is_formula(text) else text
