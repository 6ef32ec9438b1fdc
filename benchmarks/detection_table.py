"""The tables of detection.py."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import mean, median

from detection_cell import Figures, Measured
from detection_sets import SETS
from machine import figure, markdown_table

__all__ = ["NOTES", "tables"]

HALVES = ("dev", "report", "all")
NOTES = """In percent; three figures are of the development half, the report half, and all test images; over several
seeds their mean, and in brackets the range of the third. "Found at 5 %": defective images above the score that 5 % of
the same good test images exceed, an oracle that compares scores alone. Missed and rejected: at the threshold that fit
set. Pixel F1: of the regions (all pixels of good and of masked test images pooled), and in brackets that of the best
map threshold for these masks, an oracle (regions reach below their threshold, so that they can pass it). Bars are for
standard; thorough, met on all test images. ms: median from file to map, one image at a time, and the processor time of
both threads. MB: peak of the whole process."""


def tables(measured: Sequence[Measured]) -> str:
    """Images and costs, pixels, and the mean over the sets."""
    rows: dict[tuple[str, str], list[Measured]] = {}
    for each in measured:
        rows.setdefault((each.cell.data, variant(each)), []).append(each)
    header = ["set", "fit with", "AUROC", "bar", "found at 5 %", "missed / rejected", "kept", "fit s", "ms", "MB"]
    parts = [markdown_table(header, [_row(*key, seeds) for key, seeds in rows.items()])]
    masked = {key: seeds for key, seeds in rows.items() if seeds[0].figures["all"].pixel_auroc is not None}
    if masked:
        header = ["set", "fit with", "pixel AUROC", "AUPRO at 0.3", "pixel F1, dev", "report", "all"]
        parts.append(markdown_table(header, [_pixel_row(*key, seeds) for key, seeds in masked.items()]))
    commits = Counter(each.commit for each in measured)
    cells = ", ".join(f"{commit} ({number} cells)" for commit, number in commits.items())
    return "\n\n".join([*parts, *_averages(rows), f"Measured at commit {cells}."])


def variant(measured: Measured) -> str:
    """What `fit` was given, in few words."""
    options = dict(measured.cell.options)
    words = [options.pop("effort", ""), *(f"{name}={value}" for name, value in options.items())]
    return " ".join(filter(None, words)) or "defaults"


def _row(data: str, name: str, seeds: Sequence[Measured]) -> list[str]:
    return [
        SETS[data].title,
        name,
        _three(seeds, _judged(data)),
        _bar(data, name, _mean(_judged(data)(each.figures["all"]) for each in seeds)),
        _three(seeds, lambda figures: figures.found, digits=0),
        f"{_shown(_of(seeds, lambda f: f.missed))} / {_shown(_of(seeds, lambda f: f.rejected))}",
        seeds[0].kept,
        figure(median(each.fit_seconds for each in seeds)),
        f"{figure(median(each.one_ms for each in seeds))} / {_processor(seeds)}",
        f"{max(each.peak_mb for each in seeds):.0f}",
    ]


def _processor(seeds: Sequence[Measured]) -> str:
    times = [each.processor_ms for each in seeds if each.processor_ms is not None]
    return figure(median(times)) if times else "-"


def _pixel_row(data: str, name: str, seeds: Sequence[Measured]) -> list[str]:
    def f1(half: str) -> str:
        regions, oracle = (_of(seeds, lambda f: f.f1, half), _of(seeds, lambda f: f.f1_oracle, half))
        return f"{_shown(regions)} ({_shown(oracle)})"

    areas = (_three(seeds, lambda f: f.pixel_auroc), _three(seeds, lambda f: f.aupro))
    return [SETS[data].title, name, *areas, *(f1(half) for half in HALVES)]


def _averages(rows: Mapping[tuple[str, str], Sequence[Measured]]) -> list[str]:
    """The mean of each variant over the sets, where all were measured."""
    sets = list(dict.fromkeys(data for data, _ in rows))
    names = list(dict.fromkeys(name for _, name in rows))
    if len(sets) < 2 or len(rows) < len(sets) * len(names):
        return []

    def over_sets(name: str, half: str) -> float | None:
        return _mean(_of(rows[data, name], _judged(data), half) for data in sets)

    body = [[name, *(_shown(over_sets(name, half)) for half in HALVES)] for name in names]
    return ["Mean AUROC over the sets:", markdown_table(["fit with", *HALVES], body)]


def _judged(data: str) -> Callable[[Figures], float | None]:
    return (lambda figures: figures.pixel_auroc) if SETS[data].by_pixels else (lambda figures: figures.auroc)


def _bar(data: str, name: str, reached: float | None) -> str:
    bars = SETS[data].bars
    if bars is None:
        return ""
    words = f"{bars[0]:g}; {bars[1]:g}"
    bar = {"standard": bars[0], "thorough": bars[1]}.get(name)
    if bar is None or reached is None:
        return words
    return f"{words} ({'met' if reached >= bar else 'missed'})"


def _three(seeds: Sequence[Measured], chosen: Callable[[Figures], float | None], digits: int = 1) -> str:
    """The mean over seeds of each half and of all, and the range of the last."""
    words = " / ".join(_shown(_of(seeds, chosen, half), digits) for half in HALVES)
    values = [value for each in seeds if (value := chosen(each.figures["all"])) is not None]
    if len(values) < 2:
        return words
    return f"{words} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _of(seeds: Sequence[Measured], chosen: Callable[[Figures], float | None], half: str = "all") -> float | None:
    return _mean(chosen(each.figures[half]) for each in seeds)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known else None


def _shown(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
