"""What every benchmark states beside its figures: machine, versions, spread, and the file that keeps them."""

import datetime
import os
import platform
import re
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from blemish.system.stream import available_threads

__all__ = ["Spread", "data_folder", "figure", "hardware", "markdown_table", "publish", "versions"]

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("blemish", "numpy", "onnxruntime", "opencv-python-headless", "pillow")


def figure(value: float) -> str:
    """Three digits that mean something, never an exponent for large values."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


@dataclass(frozen=True)
class Spread:
    """Several runs of one measurement: their median, and the smallest and largest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Of at least one value."""
        sorted_values = sorted(values)
        return cls(statistics.median(sorted_values), sorted_values[0], sorted_values[-1])

    @classmethod
    def of_ratios(cls, over: Sequence[float], under: Sequence[float]) -> "Spread":
        """Of `over / under`, run by run: runs made one after the other share the mood of the machine."""
        return cls.of(a / b for a, b in zip(over, under, strict=True))

    def __str__(self) -> str:
        if self.low == self.high:
            return figure(self.median)
        return f"{figure(self.median)} ({figure(self.low)} to {figure(self.high)})"


def data_folder() -> Path:
    """Where the real images lie. Ends the script, saying what to set, where they are not."""
    folder = os.environ.get("BLEMISH_DATA")
    if not folder or not Path(folder, "mtd").is_dir():
        raise SystemExit("Set BLEMISH_DATA to the folder that holds mtd/, the Magnetic Tile Defects images.")
    return Path(folder)


def hardware() -> str:
    """Processor, cores this process may use, memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{_processor()}, {available_threads()} cores, {memory:.0f} GB"


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """The installed ones of these packages, with Python."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column holds words and whose others hold figures."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def publish(
    theme: str,
    body: str,
    *,
    seed: int | str,
    keep: bool,
    extra: Mapping[str, str] | None = None,
    results: Path = RESULTS,
) -> Path:
    """Print a benchmark's tables under its circumstances; `keep` also writes results/THEME_HARDWARE_DATE.md.

    `extra` adds versions of what ran in other environments. Returns the path of that file, written or not.
    """
    today = datetime.date.today().isoformat()
    packages = ", ".join(f"{name} {number}" for name, number in (versions() | dict(extra or {})).items())
    load = os.getloadavg()[0]
    text = (
        f"# {theme.replace('_', ' ')}\n\n{body}\n\n"
        f"- hardware: {hardware()} ({platform.system()}); load average when this was written {load:.1f}\n"
        f"- versions: {packages}\n- date: {today}\n- seed: {seed}\n- command: `{_command()}`\n"
    )
    print(text)
    path = results / f"{theme}_{_slug(hardware())}_{today}.md"
    if keep:
        results.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}", file=sys.stderr)
    return path


def _processor() -> str:
    """The processor's name, which Python leaves out on Linux."""
    try:
        names = re.findall(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _slug(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((?:r|tm)\)", "", words.lower())).strip("-")


def _command() -> str:
    """The command that was typed; files outside the checkout are named without their folder."""
    words = [f".../{Path(word).name}" if Path(word).is_absolute() else word for word in sys.argv[1:]]
    script = Path(sys.argv[0]).resolve().relative_to(Path(__file__).resolve().parent.parent)
    return " ".join(["python", script.as_posix(), *words])
