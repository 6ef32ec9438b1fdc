"""Results as rows: CSV that opens in a spreadsheet, and JSON lines."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from blemish.errors import DataError
from blemish.result import Result
from blemish.system.cells import quoted
from blemish.system.outputs import begins

__all__ = ["CSV_OF_REGIONS", "CSV_OF_RESULTS", "JSON_LINES", "CsvFile", "JsonLines", "RegionsFile", "table"]

CSV_OF_RESULTS = begins("a CSV of results", "\ufeffpath,verdict,score")
CSV_OF_REGIONS = begins("a CSV of regions", "\ufeffpath,verdict,region")
JSON_LINES = begins("a file of results as JSON lines", '{"path": ')
"""What a command may write these files over."""

_COLUMNS = (
    "path",
    "verdict",
    "score",
    "threshold",
    "review_threshold",
    "times_threshold",
    "percentile",
    "regions",
    "x",
    "y",
    "width",
    "height",
    "area",
    "nearest",
    "nearest_x",
    "nearest_y",
    "distance",
    "error",
    "unmeasured",
    "note",
)

_REGION_COLUMNS = (
    *("path", "verdict", "region", "score", "x", "y", "width", "height", "area"),
    *("nearest", "nearest_x", "nearest_y", "distance"),
)


def table(results: Iterable[Result]) -> list[dict[str, Any]]:
    """One flat row a result, with the columns of the CSV that `blemish inspect` writes; what is missing is None.

    `pandas.DataFrame(blemish.table(results))` takes it whole. The box and area are those of the highest region.

    Args:
        results: What `inspect` or `inspect_many` returned.
    """
    return [_row(result) for result in results]


def _row(result: Result) -> dict[str, Any]:
    plain, near = result.to_dict(), result.nearest
    region = plain["regions"][0] if plain["regions"] else {}
    row = {name: plain[name] if name in plain else region.get(name) for name in _COLUMNS}
    row |= {"regions": len(result.regions), "nearest": near and near.path, "distance": near and near.distance}
    return row | {"nearest_x": near and near.x, "nearest_y": near and near.y}


class _RowFile:
    """A text file that gains a row a result, whole: a stop or a full disk leaves no part of one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror}; create its folder or free it.") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def _append(self, row: str) -> None:
        # Names that are no Unicode (possible on Linux) are escaped rather than refused.
        left = memoryview(row.encode("utf-8", errors="backslashreplace"))
        whole = self._file.tell()
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(whole)
            self._file.close()
            raise DataError(
                f"{self._path} cannot be written: {error.strerror}; the rows already in it are whole."
            ) from None


class CsvFile(_RowFile):
    """One row an image, its highest region's box beside it; UTF-8 marked as such, since spreadsheets ask for it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._append("\ufeff" + _csv_line(_COLUMNS))

    def add(self, result: Result) -> None:
        row = _row(result)
        self._append(_csv_line([_cell(row[name]) for name in _COLUMNS]))


class RegionsFile(_RowFile):
    """One row a region, the highest of each image first; images without regions have none."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._append("\ufeff" + _csv_line(_REGION_COLUMNS))

    def add(self, result: Result) -> None:
        for number, region in enumerate(result.regions, start=1):
            box, near = region.box, region.nearest[0] if region.nearest else None
            cells = [result.path, str(result.verdict), number, region.score, box.x, box.y, box.width, box.height]
            cells += [region.area, *((near.path, near.x, near.y, near.distance) if near else ("",) * 4)]
            self._append(_csv_line(list(map(_cell, cells))))


class JsonLines(_RowFile):
    """One JSON object an image."""

    def add(self, result: Result) -> None:
        self._append(json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False) + "\n")


def _cell(value: Any) -> Any:
    """A value as a spreadsheet should take it: numbers in 7 digits, all that float32 holds; text never as a formula."""
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, str):
        return quoted(value)
    return "" if value is None else value


def _csv_line(cells: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
