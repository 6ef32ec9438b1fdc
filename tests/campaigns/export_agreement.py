"""Inspect every image of real data sets, and forty odd ones, by models and by their exports in every runtime.

PYTHONPATH=tests:benchmarks python tests/campaigns/export_agreement.py --keep

The banks are small and learn from few images: agreement is asked, not detection. Models of quick effort see all
images of their data set, those of standard effort (three looks) each fifth; the page in the browser judges each tenth
of those. It needs g++, Chromium, and in BLEMISH_ORT_WEB the folder dist of the npm package onnxruntime-web; what is
missing is said and left out. The exit code is 1 where anything differs by more than 1e-5.
"""

import argparse
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from machine import data_folder, markdown_table, publish

from blemish.errors import OptionError
from blemish.export.compare import Agreement, Judged, Tally
from campaigns.export_cases import QUICK, STANDARD, Case, data_sets, fitted, odd_cases
from campaigns.export_runtimes import BROWSER, Run, judged_by_model, runtimes, write_export_of

BATCH = 200
"""So many images are held at once."""
BROWSER_EVERY, STANDARD_EVERY = 10, 5


def cases(folder: Path, only: str, good_images: int, every: int) -> Iterator[Case]:
    """Of the data sets with each effort, and the odd ones."""
    for name, (good, images) in data_sets(data_folder()).items():
        for effort, options, step in (("quick", QUICK, 1), ("standard", STANDARD, STANDARD_EVERY)):
            if only in (title := f"{name}, {effort}"):
                yield Case(title, fitted(good, good_images, options), images[:: step * every])
    yield from (case for case in odd_cases(folder) if only in case.name)


def measured(case: Case, runs: Mapping[str, Run]) -> dict[str, Agreement | str]:
    """How far each runtime is from the model; or why it is not for this model."""
    tallies, reasons = {name: Tally.of(case.detector) for name in runs}, {}
    with tempfile.TemporaryDirectory() as folder:
        export = write_export_of(case.detector, Path(folder))
        for start in range(0, len(case.images), BATCH):
            paths = case.images[start : start + BATCH]
            judged = list(zip(paths, judged_by_model(case.detector, paths), strict=True))
            for name, run in runs.items():
                every = BROWSER_EVERY if name == BROWSER and not case.name.startswith("odd") else 1
                try:
                    _count(tallies[name], export, judged[::every], run)
                except OptionError as error:
                    reasons[name] = str(error)
    return {name: reasons.get(name) or tally.found() for name, tally in tallies.items()}


def _count(tally: Tally, export: Path, judged: Sequence[tuple[Path, Judged | None]], run: Run) -> None:
    kept = [(path, ours) for path, ours in judged if ours]
    tally.refused += len(judged) - len(kept)
    theirs = run(export, [path for path, _ in kept])
    for (path, ours), other in zip(kept, theirs, strict=True):
        tally.add(str(path), ours, other)


def row(case: str, runtime: str, found: Agreement | str) -> list[str]:
    """One line of the table."""
    if isinstance(found, str):
        return [case, runtime, "0", "", "", "not for this reader"]
    refused = f" ({found.refused} refused by the model)" if found.refused else ""
    figures = f"{found.images:,}{refused}", f"{found.score:.1e}", f"{found.map:.1e}", str(len(found.verdicts))
    return [case, runtime, *figures]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="write the result")
    parser.add_argument("--only", default="", help="cases whose name holds this; a result of their own")
    parser.add_argument("--good", type=int, default=60, help="good images to fit on")
    parser.add_argument("--every", type=int, default=1, help="inspect each Nth image")
    arguments = parser.parse_args()
    rows, good = [], True
    with tempfile.TemporaryDirectory() as folder:
        runs = runtimes(Path(folder))
        print(f"By {', '.join(runs)}", flush=True)
        for case in cases(Path(folder), arguments.only, arguments.good, arguments.every):
            for name, found in measured(case, runs).items():
                print(f"{case.name}, {name}: {found}", flush=True)
                good &= isinstance(found, str) or found.good
                rows.append(row(case.name, name, found))
    header = ["images", "runtime", "inspected", "scores differ by", "maps differ by", "verdicts differ"]
    name = "_".join(["export_agreement", *re.findall(r"\w+", arguments.only.lower())])
    table, results = markdown_table(header, rows), Path(__file__).parent / "results"
    publish(name, f"{__doc__}\n{table}", seed=0, keep=arguments.keep, results=results)
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
