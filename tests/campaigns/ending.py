"""How a campaign of the station ends: its table and what was wrong are told, and its exit code says whether any was."""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from machine import publish

__all__ = ["FIRST", "end"]

FIRST = 20
"""Faults that are told one by one."""


def end(name: str, said: str, wrong: Sequence[str], *, seed: int | str, keep: bool) -> NoReturn:
    """Publish what a campaign found, with its first faults; `keep` writes it below tests/campaigns/results."""
    faults = "\n".join(f"- {each}" for each in wrong[:FIRST])
    publish(name, f"{said}\n{faults}", seed=seed, keep=keep, results=Path(__file__).parent / "results")
    raise SystemExit(1 if wrong else 0)
