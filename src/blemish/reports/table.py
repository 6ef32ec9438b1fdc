"""Results as rows: CSV that opens in a spreadsheet, and JSON lines."""

import csv
import io
import json
import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from blemish.errors import DataError
from blemish.result import Nearest, Result

__all__ = ["CsvFile", "JsonLines", "as_row"]

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
)


def as_row(result: Result) -> dict[str, Any]:
    """A result without its arrays, ready for JSON; what is not a number, as the score of an ERROR, is None."""
    return {
        "path": result.path,
        "verdict": str(result.verdict),
        "score": _finite(result.score),
        "threshold": result.threshold,
        "review_threshold": _finite(result.review_threshold),
        "times_threshold": _finite(result.times_threshold),
        "percentile": _finite(result.percentile),
        "regions": [
            {
                "x": region.box.x,
                "y": region.box.y,
                "width": region.box.width,
                "height": region.box.height,
                "area": region.area,
                "score": region.score,
                "outline": region.outline,
                "nearest": [_nearest(nearest) for nearest in region.nearest],
            }
            for region in result.regions
        ],
        "nearest": None if result.nearest is None else _nearest(result.nearest),
        "timings": result.timings,
        "error": result.error,
    }


def _nearest(nearest: Nearest) -> dict[str, Any]:
    x, y = nearest.at
    return {
        "path": nearest.path,
        "x": nearest.x,
        "y": nearest.y,
        "distance": nearest.distance,
        "at": {"x": x, "y": y},
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


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
        row = as_row(result)
        regions, nearest = row["regions"], row["nearest"]
        first = regions[0] if regions else {}
        row |= {name: first.get(name, "") for name in ("x", "y", "width", "height", "area")}
        row |= {"regions": len(regions), **dict.fromkeys(("nearest", "nearest_x", "nearest_y", "distance"), "")}
        if nearest:
            row |= {"nearest": nearest["path"], "nearest_x": nearest["x"], "nearest_y": nearest["y"]}
            row["distance"] = nearest["distance"]
        self._append(_csv_line(["" if row[name] is None else row[name] for name in _COLUMNS]))


class JsonLines(_RowFile):
    """One JSON object an image."""

    def add(self, result: Result) -> None:
        self._append(json.dumps(as_row(result), ensure_ascii=False, allow_nan=False) + "\n")


def _csv_line(cells: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
