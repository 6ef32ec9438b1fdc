"""Damage sound files in eighteen ways; no file that a decoder outside refuses may be read, and no sound one refused.

python tests/campaigns/mutated_images.py --keep [--old .../python of an older checkout, to compare the times]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import product
from pathlib import Path

from blemish.errors import ImageError
from blemish.images.encoded import Encoded
from blemish.images.read import read_image
from campaigns.damage import DAMAGES, damage
from campaigns.oracles import missing_programs, refusal
from campaigns.seeds import seeds

__all__ = ["Outcome", "intact_refused", "mutated"]

TIMER = """
import json, sys, time
from pathlib import Path
from blemish.images.read import read_image
paths = [path for path in sorted(Path(sys.argv[1]).iterdir()) if not path.name.startswith(".")]
for line in sys.stdin:
    path, best = paths[int(line)], None
    for _ in range(9):
        start = time.perf_counter()
        try:
            read_image(path)
        except Exception:
            best = None
            break
        best = min(best or 9e9, time.perf_counter() - start)
    print(json.dumps(best), flush=True)
"""


@dataclass
class Outcome:
    """What became of damaged files."""

    counts: Counter[str] = field(default_factory=Counter)
    wrongly_read: list[str] = field(default_factory=list)
    """Read here, refused outside."""
    crashed: list[str] = field(default_factory=list)
    """Anything but an image or an ImageError."""


def mutated(copies: int, seed: int, only: int | None = None) -> Outcome:
    """Damage every seed file in every way so many times; `only` ends after so many files."""
    outcome = Outcome()
    cases = product(range(copies), DAMAGES, seeds().items())
    for count, (number, kind, (name, data)) in enumerate(cases):
        if only is not None and count >= only:
            break
        _try(outcome, damage(data, kind, seed, number), f"{name}, {kind}, {number}")
    return outcome


def _try(outcome: Outcome, data: bytes, what: str) -> None:
    try:
        read_image(data)
    except ImageError:
        outcome.counts["error"] += 1
        return
    except Exception as error:
        outcome.crashed.append(f"{what}: {error!r}")
        return
    why = refusal(data, Encoded("", data).format)
    outcome.counts["read" if why is None else "read, refused outside"] += 1
    if why is not None:
        outcome.wrongly_read.append(f"{what}: {why}")


def intact_refused(pictures: int) -> tuple[int, list[str]]:
    """How many sound files were tried, and those that were refused."""
    tried, refused = 0, []
    for number in range(pictures):
        for name, data in seeds(40 + number, 50 + 3 * number, number).items():
            tried += 1
            try:
                read_image(data)
            except ImageError as error:
                refused.append(f"{name}: {error}")
    return tried, refused


def paired_times(old: str, height: int = 600, width: int = 800) -> dict[str, float]:
    """How long reading takes over what it took in an older checkout, by file; both read it in turn.

    Files that the older one cannot read are left out.
    """
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for number, (name, data) in enumerate(seeds(height, width).items()):
            names.append(name)
            Path(folder, f"{number:02}").write_bytes(data)
        readers = [
            subprocess.Popen(
                [python, "-c", TIMER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
            for python in (sys.executable, old)
        ]
        ratios = {name: _ratio(readers, number) for number, name in enumerate(names)}
        for reader in readers:
            reader.communicate()
    return {name: ratio for name, ratio in ratios.items() if ratio is not None}


def _ratio(readers: list["subprocess.Popen[str]"], number: int) -> float | None:
    """The median of several turns; None where one of the two cannot read the file."""
    turns = []
    for _ in range(5):
        new, old = (_seconds(reader, number) for reader in readers)
        if new is None or old is None:
            return None
        turns.append(new / old)
    return statistics.median(turns)


def _seconds(reader: "subprocess.Popen[str]", number: int) -> float | None:
    assert reader.stdin is not None
    assert reader.stdout is not None
    reader.stdin.write(f"{number}\n")
    answer: float | None = json.loads(reader.stdout.readline())
    return answer


def main() -> None:
    """The long form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=21)
    parser.add_argument("--pictures", type=int, default=49)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--old")
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    import machine

    if missing := missing_programs():
        raise SystemExit(f"Install {', '.join(missing)} (packages libjpeg-turbo-progs, pngcheck, libvips-tools).")
    outcome = mutated(asked.copies, asked.seed)
    tried, refused = intact_refused(asked.pictures)
    rows = [[what, f"{outcome.counts[what]:,}"] for what in ("error", "read", "read, refused outside")]
    rows += [["anything but an image or an ImageError", str(len(outcome.crashed))]]
    rows += [[f"sound files refused, of {tried:,}", str(len(refused))]]
    body = machine.markdown_table(["damaged files", "count"], rows)
    body += "".join(f"\n- {line}" for line in [*outcome.wrongly_read, *outcome.crashed, *refused][:100])
    if asked.old:
        ratios = paired_times(asked.old)
        body += f"\n\nTime over that of the older reader: median {statistics.median(ratios.values()):.2f}.\n\n"
        body += machine.markdown_table(["600 x 800", "ratio"], [[name, f"{r:.2f}"] for name, r in ratios.items()])
    tools = {package: version(package) for package in ("simplejpeg", "tifffile", "imagecodecs")}
    results = Path(__file__).parent / "results"
    machine.publish("mutated_images", body, seed=asked.seed, keep=asked.keep, extra=tools, results=results)


if __name__ == "__main__":
    main()
