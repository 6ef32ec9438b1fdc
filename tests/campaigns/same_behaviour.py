"""Does this blemish answer as an older one did, bit for bit? Both do the same work on the same real images.

    python tests/campaigns/same_behaviour.py --before OLD_ENV/bin/python --data DIR --output FILE
    python tests/campaigns/same_behaviour.py --before OLD_ENV/bin/python --data DIR --methods padim "patchcore, tiles"

`--before` is the Python of an environment with the older package; the newer one is that which runs this script. Each
case of cases.py runs in a process of each (behaviour_of.py); then the newer one reads the older one's model file. The
exit code is 1 where anything differs or fails. Fields of the manifest and settings that only one side has are listed
and count as no difference, as `created` and `blemish` do.
"""

import argparse
import datetime
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path += [str(ROOT / "benchmarks"), str(ROOT / "tests")]

from before_and_after import About, about, environment  # noqa: E402
from machine import hardware, markdown_table  # noqa: E402
from resnet18 import resnet18  # noqa: E402

from campaigns.cases import CASES, Case  # noqa: E402
from campaigns.samples import lay_out  # noqa: E402

SECTIONS = (
    "tensors", "manifest", "scores", "maps", "masks", "regions", "nearest", "verdicts", "feedback", "command line",
    "old file",
)  # fmt: skip
WEIGHTS = Path("backbones", "resnet18_stem_to_layer3.safetensors")
"""Beside the folder of the data."""
EXTRAS = ("torch", "faiss-cpu")
"""Packages that some cases need."""
SHOWN = 3
"""Differences that are printed of each section."""

Answer = dict[str, dict[str, Any]]


@dataclass
class Compared:
    """One section of both sides' answers."""

    equal: int = 0
    rounded: int = 0
    """Lines of a CSV that are equal but for the seven digits that numbers have now."""
    differing: list[tuple[str, Any, Any]] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)
    """Fields of the manifest, and settings, that only one side has."""

    def __str__(self) -> str:
        if self.differing:
            return f"**differs** ({len(self.differing)} of {self.equal + self.rounded + len(self.differing)})"
        if not self.equal + self.rounded:
            return "-"
        return f"equal ({self.equal}{f', {self.rounded} rounded' if self.rounded else ''})"


@dataclass
class Outcome:
    """A case: what came of comparing each section, or why it did not run."""

    case: Case
    sections: dict[str, Compared] = field(default_factory=dict)
    missing: str = ""
    """What it needs and one of the sides does not have."""
    failure: str = ""

    @property
    def differs(self) -> bool:
        return bool(self.failure) or any(each.differing for each in self.sections.values())

    def __str__(self) -> str:
        if self.missing or self.failure:
            return f"not run: {self.missing} is not there" if self.missing else f"failed: {self.failure}"
        differing = [name for name, compared in self.sections.items() if compared.differing]
        return f"differs in {', '.join(differing)}" if differing else "equal"


def main() -> None:
    arguments = parse()
    sides = {"before": arguments.before, "after": sys.executable}
    abouts = {side: about(python) for side, python in sides.items()}
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), sides)
        lacking = bench.set_up(arguments.data, arguments.images, arguments.line)
        lacking |= {name for name in EXTRAS for each in abouts.values() if name not in each.versions}
        outcomes = []
        for case in chosen(arguments.methods):
            began = time.monotonic()
            outcomes.append(outcome := bench.outcome(case, lacking))
            print(f"{case.name} ({case.data}): {outcome}, {time.monotonic() - began:.0f} s", file=sys.stderr)
            if arguments.output:  # after each, so that a run that is stopped leaves what it found
                arguments.output.write_text(report(outcomes, abouts, arguments), encoding="utf-8")
    print(report(outcomes, abouts, arguments))
    raise SystemExit(any(outcome.differs for outcome in outcomes))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", required=True, help="the Python of an environment with the older blemish")
    parser.add_argument("--data", type=Path, default=os.environ.get("BLEMISH_DATA"), help="folder with mtd, ped2, bsd")
    parser.add_argument("--methods", nargs="+", help="only these methods, or cases by their names")
    parser.add_argument("--images", type=int, default=40, help="good images to fit on")
    parser.add_argument("--line", type=int, default=30, help="images to inspect, a third of them good")
    parser.add_argument("--output", type=Path, help="write the result to this file")
    arguments = parser.parse_args()
    if arguments.data is None or not arguments.data.is_dir():
        parser.error("name with --data the folder that holds mtd/, ped2/ and bsd/")
    return arguments


def chosen(methods: Sequence[str] | None) -> list[Case]:
    found = [case for case in CASES if methods is None or {case.method, case.name} & set(methods)]
    if not found:
        raise SystemExit(f"No case is named so; there are: {'; '.join(dict.fromkeys(case.name for case in CASES))}.")
    return found


class Bench:
    """The folders in which both sides work: one each, with the same images under the same names."""

    def __init__(self, root: Path, sides: Mapping[str, str]) -> None:
        self.root = root
        self.sides = sides

    def set_up(self, data: Path, images: int, line: int) -> set[str]:
        """Lay the images and a second network out; returns the data sets and networks that are not there."""
        there = set(lay_out(data, self.root / "samples", images, line))
        weights = data.parent / WEIGHTS
        if weights.is_file():
            there |= {"weights", "resnet18"}
            self._keep_network(weights)
        return {"mtd", "ped2", "bsd", "weights", "resnet18"} - there

    def _keep_network(self, weights: Path) -> None:
        """ResNet-18 where both sides look for networks of the user's."""
        shutil.copyfile(weights, self.root / "samples" / "resnet18.safetensors")
        network, folder = resnet18(weights), self.root / "home" / "backbones"
        folder.mkdir(parents=True)
        (folder / "resnet18.onnx").write_bytes(network.onnx)
        (folder / "resnet18.json").write_text(network.manifest.model_dump_json(), encoding="utf-8")

    def outcome(self, case: Case, lacking: set[str]) -> Outcome:
        """Run a case on both sides and compare."""
        if missing := {case.data, *case.needs} & lacking:
            return Outcome(case, missing=", ".join(sorted(missing)))
        try:
            before, after = (self._answer(side, asdict(case)) for side in ("before", "after"))
            old_file = {"read": str(self.root / "before" / "strict.blemish")}
            reread = self._answer("after", asdict(case) | old_file, fresh=False)
        except subprocess.CalledProcessError as error:
            return Outcome(case, failure=last_line(error.stderr))
        sections = {name: compare(before.get(name, {}), after.get(name, {})) for name in before | after}
        return Outcome(case, sections | {"old file": compare(loaded(before), loaded(reread))})

    def _answer(self, side: str, case: Mapping[str, Any], *, fresh: bool = True) -> Answer:
        """What one side does; in a `fresh` folder, or in the one that a case was done in."""
        folder = self.root / side
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for sample in (self.root / "samples").iterdir():
                (folder / sample.name).symlink_to(sample)
        asked, answer = folder / "case.json", folder / "answer.json"
        asked.write_text(json.dumps(case), encoding="utf-8")
        subprocess.run(
            [self.sides[side], HERE / "behaviour_of.py", asked, answer],
            cwd=folder,
            env=environment() | {"BLEMISH_HOME": str(self.root / "home"), "LC_ALL": "C.UTF-8", "COLUMNS": "120"},
            check=True,
            capture_output=True,
            text=True,
        )
        found: Answer = json.loads(answer.read_text(encoding="utf-8"))
        return found


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def loaded(answer: Answer) -> dict[str, Any]:
    """What a model that was read from its file says of each image."""
    return {
        f"{section} / {name}": value
        for section, items in answer.items()
        for name, value in items.items()
        if name.startswith("loaded / ")
    }


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Compared:
    """Item by item; what only one side has differs, unless it is a field of the manifest or a setting."""
    compared = Compared()
    for name in sorted(before.keys() | after.keys()):
        if name in before and name in after and before[name] == after[name]:
            compared.equal += 1
        elif is_rounded(before.get(name), after.get(name)):
            compared.rounded += 1
        elif (name in before) != (name in after) and {"manifest", "settings"} & set(name.split(" / ")):
            compared.alone.append(f"{name} ({'before' if name in before else 'after'})")
        else:
            compared.differing.append((name, before.get(name, "absent"), after.get(name, "absent")))
    return compared


def is_rounded(before: object, after: object) -> bool:
    """Whether a line of a CSV has the same cells, numbers with seven digits where they had all of theirs."""
    if not (isinstance(before, str) and isinstance(after, str)):
        return False
    pairs = list(zip_longest(before.split(","), after.split(",")))
    return len(pairs) > 1 and all(one == other or in_seven_digits(one) == other for one, other in pairs)


def in_seven_digits(cell: str | None) -> str | None:
    try:
        return None if cell is None else f"{float(cell):.7g}"
    except ValueError:
        return cell


def report(outcomes: Sequence[Outcome], abouts: Mapping[str, About], arguments: argparse.Namespace) -> str:
    """The table, what differs, what only one side has, and the circumstances."""
    ran = [outcome for outcome in outcomes if not outcome.missing]
    differing = [outcome for outcome in ran if outcome.differs]
    said = (
        f"{len(ran)} cases ran, {len(differing)} of them differ. {arguments.images} good images were fitted and "
        f"{arguments.line} inspected in each. In brackets, how many items were compared: arrays by type, shape and "
        "sha256, numbers with all their digits; rounded: lines of a CSV that differ by its seven digits alone. "
        "`old file`: the newer version reads the older one's model."
    )
    rows = [line_of(outcome) for outcome in outcomes]
    blocks = ["# same behaviour", said, markdown_table(["case", "data", *SECTIONS], rows)]
    blocks += listing("Differences", [line for outcome in differing for line in differences(outcome)])
    blocks += listing("Only on one side", dict.fromkeys(name for outcome in ran for name in alone(outcome)))
    return "\n\n".join([*blocks, circumstances(abouts)]) + "\n"


def line_of(outcome: Outcome) -> list[str]:
    case = outcome.case
    if outcome.missing or outcome.failure:
        return [case.name, case.data, str(outcome) if outcome.missing else "**failed**", *[""] * (len(SECTIONS) - 1)]
    return [case.name, case.data, *(str(outcome.sections.get(name, Compared())) for name in SECTIONS)]


def differences(outcome: Outcome) -> list[str]:
    """The first ones of each section, with both values."""
    case = f"{outcome.case.name} ({outcome.case.data})"
    if outcome.failure:
        return [f"{case}: {outcome}"]
    return [
        f"{case}, {section}, {name}: `{short(before)}` became `{short(after)}`"
        for section, compared in outcome.sections.items()
        for name, before, after in compared.differing[:SHOWN]
    ]


def short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:157]}..."


def alone(outcome: Outcome) -> list[str]:
    return [f"{section}: {name}" for section, compared in outcome.sections.items() for name in compared.alone]


def listing(title: str, lines: Iterable[str]) -> list[str]:
    points = [f"- {line}" for line in lines]
    return [f"## {title}", "\n".join(points)] if points else []


def circumstances(abouts: Mapping[str, About]) -> str:
    """Both versions and what they stand on, the machine, the date and the command."""
    words = [f".../{Path(word).name}" if Path(word).is_absolute() else word for word in sys.argv[1:]]
    command = shlex.join(["python", "tests/campaigns/same_behaviour.py", *words])
    lines = {"hardware": hardware(), **{side: stands_on(each) for side, each in abouts.items()}}
    lines |= {"date": datetime.date.today().isoformat(), "command": f"`{command}`"}
    return "\n".join(f"- {name}: {text}" for name, text in lines.items())


def stands_on(side: About) -> str:
    others = [f"{name} {number}" for name, number in side.versions.items() if name != "blemish"]
    return f"blemish {side}, {', '.join(others)}"


if __name__ == "__main__":
    main()
