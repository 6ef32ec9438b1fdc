"""Results as rows: CSV that opens in a spreadsheet, and JSON lines."""

import csv
import json
import math
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from blemish.errors import DataError
from blemish.result import Result

__all__ = ["CsvFile", "JsonLines", "as_row"]

_COLUMNS = (
    "path",
    "verdict",
    "score",
    "threshold",
    "regions",
    "x",
    "y",
    "width",
    "height",
    "area",
    "nearest",
    "error",
)


def as_row(result: Result) -> dict[str, Any]:
    """A result without its arrays, ready for JSON; the score of an ERROR is None."""
    return {
        "path": result.path,
        "verdict": str(result.verdict),
        "score": None if math.isnan(result.score) else result.score,
        "threshold": result.threshold,
        "regions": [
            {
                "x": region.box.x,
                "y": region.box.y,
                "width": region.box.width,
                "height": region.box.height,
                "area": region.area,
                "score": region.score,
                "outline": region.outline,
            }
            for region in result.regions
        ],
        "nearest": None
        if result.nearest is None
        else {
            "path": result.nearest.path,
            "x": result.nearest.x,
            "y": result.nearest.y,
            "distance": result.nearest.distance,
        },
        "timings": result.timings,
        "error": result.error,
    }


class _RowFile:
    """A text file that gains a row a result; each row is flushed whole, so a stop leaves whole rows only."""

    def __init__(self, path: Path, encoding: str) -> None:
        try:
            self._file: TextIO = path.open("w", encoding=encoding, newline="")
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror}; create its folder or free it.") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


class CsvFile(_RowFile):
    """One row an image, its highest region's box beside it; UTF-8 marked as such, since spreadsheets ask for it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "utf-8-sig")
        self._writer = csv.DictWriter(self._file, _COLUMNS)
        self._writer.writeheader()

    def add(self, result: Result) -> None:
        row = as_row(result)
        regions, nearest = row["regions"], row["nearest"]
        first = regions[0] if regions else {}
        row |= {name: first.get(name, "") for name in ("x", "y", "width", "height", "area")}
        row |= {"regions": len(regions), "nearest": nearest["path"] if nearest else ""}
        self._writer.writerow({name: "" if row[name] is None else row[name] for name in _COLUMNS})
        self._file.flush()


class JsonLines(_RowFile):
    """One JSON object an image."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "utf-8")

    def add(self, result: Result) -> None:
        self._file.write(json.dumps(as_row(result), ensure_ascii=False, allow_nan=False) + "\n")
        self._file.flush()
