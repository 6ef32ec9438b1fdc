"""Kill every command that writes, at random moments of its run: no model is broken, no file is left after the next one.

PYTHONPATH=tests:benchmarks python tests/campaigns/kills.py --kills 500 --keep

After each kill the same command runs to its end. The model must read whole at any time, what was written must be whole,
and no temporary file may be left. The short form is tests/test_campaign_files.py.
"""

import argparse
import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from parts import good_part, save_image, scratched_part

from campaigns.ending import end
from campaigns.files import WARM, fit_words, kill, run, seconds_of, temporary, warm_up

__all__ = ["COMMANDS", "Outcome", "kill_commands"]

GOOD, LINE, TAUGHT = 4, 6, 100
"""Good images to fit on, images of the line, and the first seed of images that are taught."""


@dataclass(frozen=True)
class Bench:
    """The files of one campaign."""

    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / "part.blemish"

    @property
    def base(self) -> Path:
        """The model as it is before each command."""
        return self.folder / "base" / "part.blemish"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def temporary(self) -> int:
        """Temporary files, anywhere."""
        return sum(temporary(path) for path in (self.folder, self.out, self.out / "overlays") if path.is_dir())


@dataclass
class Outcome:
    """What became of one command's kills."""

    kills: int = 0
    finished: int = 0
    """Runs that ended before their kill."""
    left: int = 0
    """Temporary files that killed runs left."""
    wrong: list[str] = field(default_factory=list)


def _inspect(bench: Bench) -> tuple[str, ...]:
    asked = ("--csv", str(bench.out / "rows.csv"), "--overlays", str(bench.out / "overlays"))
    return ("inspect", str(bench.model), str(bench.folder / "line"), *asked, "--threads", "1")


def _report(bench: Bench) -> tuple[str, ...]:
    data = ("--good", str(bench.folder / "good"), "--defective", str(bench.folder / "line"))
    return ("report", str(bench.model), *data, "-o", str(bench.out / "report.html"), "--threads", "1")


COMMANDS: dict[str, Callable[[Bench], tuple[str, ...]]] = {
    "fit": lambda bench: fit_words(bench.folder / "good", bench.model),
    "feedback": lambda bench: ("feedback", "add", str(bench.model), str(bench.folder / "taught"), "--yes"),
    "calibrate": lambda bench: ("calibrate", str(bench.model), "--false-rejects", "0.3"),
    "report": _report,
    "inspect": _inspect,
}
ENDS = {"inspect": (0, 1)}
"""Exit codes of a whole run, 0 where nothing is said: some parts are NG."""
KNOWN = (2,)
"""That of teaching an image which a killed run has taught already."""


def kill_commands(folder: Path, kills: int, seed: int) -> dict[str, Outcome]:
    """Kill each command so many times in its run."""
    bench, draw = _laid_out(folder), random.Random(seed)
    warm_up()
    return {name: _killed(bench, name, kills, draw) for name in COMMANDS}


def _laid_out(folder: Path) -> Bench:
    bench = Bench(folder)
    for number in range(GOOD):
        save_image(folder / "good" / f"{number}.png", good_part(number))
    for number in range(LINE):
        save_image(folder / "line" / f"{number}.png", scratched_part(number).grey)
    save_image(folder / "taught" / "one.png", good_part(TAUGHT))
    bench.base.parent.mkdir()
    bench.out.mkdir()
    assert run(*fit_words(folder / "good", bench.base)) == 0
    return bench


def _killed(bench: Bench, name: str, kills: int, draw: random.Random) -> Outcome:
    outcome, words = Outcome(), COMMANDS[name](bench)
    lay_out = partial(shutil.copyfile, bench.base, bench.model)
    seconds = seconds_of(words, ENDS.get(name, (0,)), lay_out)
    while outcome.kills < kills and not outcome.wrong:
        lay_out()
        process = WARM.Process(target=run, args=words)
        process.start()
        process.join(draw.uniform(0, seconds))
        alive = kill(process)
        outcome.finished, outcome.kills = outcome.finished + (not alive), outcome.kills + alive
        outcome.left += bench.temporary()
        outcome.wrong += [f"{name}, kill {outcome.kills}: {each}" for each in _faults(bench, name, words)]
    return outcome


def _faults(bench: Bench, name: str, words: tuple[str, ...]) -> list[str]:
    """What is wrong after a kill, and after the same command once more."""
    found = []
    if (code := run("info", str(bench.model))) != 0:
        found.append(f"the model cannot be read ({code})")
    report = bench.out / "report.html"
    if report.exists() and not report.read_text(encoding="utf-8").rstrip().endswith("</html>"):
        found.append("the report is cut")
    taught = name == "feedback" and bench.model.read_bytes() != bench.base.read_bytes()
    if (code := run(*words)) not in (KNOWN if taught else ENDS.get(name, (0,))):
        found.append(f"the next command ends with {code}")
    if left := bench.temporary():
        found.append(f"{left} temporary files are left after the next command")
    return found


def main() -> None:
    from machine import markdown_table

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500, help="of all commands together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write the result below tests/campaigns/results")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = kill_commands(Path(folder), given.kills // len(COMMANDS), given.seed)
    rows = [
        [name, str(each.kills), str(each.finished), str(each.left), str(len(each.wrong))]
        for name, each in found.items()
    ]
    table = markdown_table(["command", "kills", "ended before", "temporary files left", "faults after"], rows)
    wrong = [each for outcome in found.values() for each in outcome.wrong]
    end("kills", f"{__doc__}\n{table}\n", wrong, seed=given.seed, keep=given.keep)


if __name__ == "__main__":
    main()
