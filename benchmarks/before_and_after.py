"""This blemish beside an older one: the same images and defaults, in two processes that take turns.

    BLEMISH_DATA=... python benchmarks/before_and_after.py --before OLD_ENV/bin/python --output

Fit on 200 Magnetic Tile images, threshold and saving included; then inspect 200, half of them defective, warm: one by
one with `inspect`, and with `inspect_many`. Both processes of a run live at once and work one after the other: before,
after, and the next time after, before, so that each pair of figures shares the mood of the machine and neither always
begins. A bar of 3 % can be told on a quiet machine only; where other work shares the cores, the processor time tells
more than the clock.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from against_anomalib import PEERS, lay_out
from machine import Spread, data_folder, markdown_table, publish

__all__ = ["About", "Measure", "Side", "about", "alike", "environment", "in_turn", "side_of", "turns"]

BAR = 1.03
"""The newer version's time over the older one's, at most."""

Figures = dict[str, Any]
"""What a side prints: answer, seconds, cpu, peak_mb."""
Pairs = Mapping[str, Sequence[tuple[Figures, Figures]]]
"""For each kind of work, its figures before and after, pair by pair."""


@dataclass(frozen=True)
class About:
    """The blemish of an interpreter: the commit it was installed from, and the versions of what it stands on."""

    commit: str
    versions: dict[str, str]

    def __str__(self) -> str:
        return f"{self.versions['blemish']} ({self.commit})"

    def unlike(self, other: "About") -> dict[str, str]:
        """What this one stands on in another version than the other one does."""
        return {name: number for name, number in self.versions.items() if other.versions.get(name) != number}


class Side:
    """A version in a process of its own, by its own Python, which runs a script of peers."""

    def __init__(self, python: str, script: str, *words: str | Path) -> None:
        command: list[str | Path] = [python, PEERS / script, *words]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate()

    def do(self, work: str) -> Figures:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{work}\n")
        self._process.stdin.flush()
        if line := self._process.stdout.readline():
            figures: Figures = json.loads(line)
            return figures
        raise SystemExit("One side ended before it answered; see what it printed above.")


def side_of(python: str, folder: Path, *, effort: str | None = None) -> Side:
    """One that fits and inspects the images of a folder; `effort` for a version that knows what that is."""
    return Side(python, "one_version_side.py", folder, *([] if effort is None else ["--effort", effort]))


def main() -> None:
    arguments = parse()
    before, after = about(arguments.before), about(sys.executable)
    pairs: dict[str, list[tuple[Figures, Figures]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(data_folder() / "mtd", folder, arguments.images, arguments.tests)
        for run in range(arguments.runs):
            with (
                side_of(arguments.before, folder) as old,
                side_of(sys.executable, folder, effort=arguments.effort) as new,
            ):
                for work in turns(arguments.rounds):
                    pairs[work].append(in_turn(work, old, new, swapped=len(pairs[work]) % 2 == 1))
            print(f"run {run + 1} of {arguments.runs} is done", file=sys.stderr)
    extra = {"after": str(after), "before": str(before)}
    extra |= {f"{name} (before)": number for name, number in before.unlike(after).items() if name != "blemish"}
    publish("before_and_after", table(pairs, arguments), seed=0, keep=arguments.output, extra=extra)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", required=True, help="the Python of an environment with the older blemish")
    parser.add_argument("--effort", help="of the newer one, where the older knows none: quick is what it did")
    parser.add_argument("--images", type=int, default=200, help="good images to fit on")
    parser.add_argument("--tests", type=int, default=200, help="images to inspect, half of them defective")
    parser.add_argument("--runs", type=int, default=5, help="pairs of processes, and so of fits")
    parser.add_argument("--rounds", type=int, default=4, help="how often each of them inspects all images")
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    return parser.parse_args()


def turns(rounds: int) -> list[str]:
    """What a pair of processes does, in this order; first each is waited for, until it has imported what it needs."""
    return ["ready", "fit", "warm_up", *["inspect", "inspect_many"] * rounds]


def in_turn(work: str, old: Side, new: Side, *, swapped: bool) -> tuple[Figures, Figures]:
    """What both say, the older one first; it also works first, unless they are swapped."""
    if not swapped:
        return old.do(work), new.do(work)
    after = new.do(work)
    return old.do(work), after


def environment() -> dict[str, str]:
    """This process's, without what would lead another interpreter to this one's packages."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def about(python: str) -> About:
    """Ask an interpreter which blemish it has."""
    command: list[str | Path] = [python, PEERS / "about_blemish.py"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=environment())
    if ended.returncode:
        raise SystemExit(f"{python} cannot say which blemish it has; see what it printed above.")
    return About(**json.loads(ended.stdout))


@dataclass(frozen=True)
class Measure:
    """A row of the table: one figure of one kind of work, times `scale`."""

    words: str
    work: str
    figure: str
    scale: float = 1.0

    def row(self, pairs: Pairs) -> list[str]:
        old, new = ([self.scale * pair[side][self.figure] for pair in pairs[self.work]] for side in (0, 1))
        ratio = Spread.of_ratios(new, old)
        verdict = f"{BAR:g} ({'met' if ratio.median <= BAR else 'missed'})" if self.figure == "seconds" else ""
        return [self.words, str(len(old)), *map(str, (Spread.of(old), Spread.of(new), ratio)), verdict]


def table(pairs: Pairs, arguments: argparse.Namespace) -> str:
    """Medians (and ranges) of both sides, and of their ratios pair by pair, beside the bar."""
    each = 1000 / arguments.tests
    rows = [
        Measure("fit, threshold and saving included (s)", "fit", "seconds"),
        Measure("the same, processor time (s)", "fit", "cpu"),
        Measure("peak memory of fit (MB)", "fit", "peak_mb"),
        Measure("inspect, one by one (ms an image)", "inspect", "seconds", each),
        Measure("the same, processor time (ms)", "inspect", "cpu", each),
        Measure("inspect_many (ms an image)", "inspect_many", "seconds", each),
        Measure("the same, processor time (ms)", "inspect_many", "cpu", each),
    ]
    said = (
        f"{arguments.images} good images to fit on, {arguments.tests} to inspect, all defaults; {arguments.runs} pairs "
        f"of processes that take turns; medians, in brackets the range. Thresholds, scores and maps of both sides are "
        f"{'equal, bit for bit' if alike(pairs) else 'NOT equal'}."
    )
    header = ["", "pairs", "before", "after", "after / before, pair by pair", "bar"]
    return "\n\n".join([said, markdown_table(header, [row.row(pairs) for row in rows])])


def alike(pairs: Pairs) -> bool:
    """Whether each kind of work had one answer, on both sides and every time."""
    return all(len({figures["answer"] for pair in each for figures in pair}) == 1 for each in pairs.values())


if __name__ == "__main__":
    main()
