"""What a command says at its end: which good images look like defects, and what to do next."""

import sys
from typing import TYPE_CHECKING

import typer

from blemish.cli.console import in_language, say
from blemish.cli.help import stacked
from blemish.system.outputs import typed

if TYPE_CHECKING:
    from blemish.detector import Detector
    from blemish.evaluation.trades import Trade
    from blemish.system.address import Place

__all__ = ["on_terminal", "say_misses_unknown", "settle_suspects", "tell_trades"]


def say_misses_unknown(model: "Place") -> None:
    """Say that a threshold from good parts does not tell how many defects pass, and how to learn it."""
    from blemish.evaluation.trades import misses_unknown
    from blemish.system.address import place_of

    say(misses_unknown(typed(place_of(model))))


def tell_trades(found: "list[Trade]", model: "Place") -> None:
    """Print false rejects against misses, and what a REVIEW band would do; say what is missing where nothing is known.

    `found` is what `trades` answers for the model and an evaluation.
    """
    from rich.console import Console
    from rich.table import Column, Table

    from blemish.evaluation.trades import HEADS, band_in_words

    if not found:
        say_misses_unknown(model)
        return
    table = Table(Column(in_language(HEADS[0]), no_wrap=True), *map(in_language, HEADS[1:]))
    for each in found:
        point, *cells = map(in_language, each.cells())
        table.add_row(point, *map(stacked, cells))
    Console().print(table)
    if sentence := band_in_words(found, typed(model)):
        say(sentence)


def settle_suspects(detector: "Detector", output: "Place", *, ask: bool) -> "Detector":
    """Name the good images that look like defects, ask on the terminal whether they stay, and do what was asked."""
    from blemish.model.suspects import tell_left_out, tell_suspects

    if left_out := tell_left_out(detector.journal, typed(output)):
        say(left_out)
    if not detector.suspects:
        return detector
    say(tell_suspects(detector.model))
    if not detector.model.learns:
        say("Look at them, and fit again without those that are defective.")
        return detector
    if ask and on_terminal() and typer.confirm("Leave them out?", err=True):
        left = detector.without_suspects()
        say(tell_left_out(left.journal[-1:], typed(output)))
        return left
    say(
        f"They stay. Look at them: --suspects drop leaves all out; one is left out by: "
        f"blemish feedback remove {typed(output)} {typed(detector.suspects[0].path)}"
    )
    return detector


def on_terminal() -> bool:
    """Whether someone can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()
