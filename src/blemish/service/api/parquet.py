"""Rows as Parquet, where pyarrow is installed."""

import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from blemish.service.problems import Problem

__all__ = ["parquet"]

GROUP = 20_000
PIECE = 1 << 16
NUMBERS = {"score", "threshold", "times_threshold", "percentile"}


def parquet(rows: Iterable[dict[str, Any]], columns: Iterable[str]) -> Iterator[bytes]:
    """One file, made in a temporary one. Raises Problem, at once, where pyarrow is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise Problem("wrong-media", "Parquet needs pyarrow: pip install 'blemish[parquet]'; or ask for csv.") from None
    kinds = {"version_number": pyarrow.int64(), "late": pyarrow.bool_()} | dict.fromkeys(NUMBERS, pyarrow.float64())
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in columns])
    return _pieces(iter(rows), schema, pyarrow)


def _pieces(rows: Iterator[dict[str, Any]], schema: Any, pyarrow: Any) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as file:
        with pyarrow.parquet.ParquetWriter(file, schema) as writer:
            while group := list(islice(rows, GROUP)):
                writer.write_table(pyarrow.Table.from_pylist(group, schema))
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece
