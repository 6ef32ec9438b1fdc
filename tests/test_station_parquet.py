"""A station's export as Parquet holds what its CSV holds, with types."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from parts import good_part, scratched_part
from station_bench import API, Bench, encoded, opened

pytestmark = pytest.mark.long
TYPES = {"version_number": "int64", "late": "bool", "score": "double", "threshold": "double", "percentile": "double"}


def test_parquet_reads_back_as_the_csv_says(tmp_path: Path, model: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (extra parquet)")
    with opened(tmp_path / "station") as bench:
        bench.taught("part", model)
        bench.inspect("part", encoded(good_part(100)), serial="部品 1")
        bench.inspect("part", encoded(scratched_part(102).grey), serial="a,b")
        bench.inspect("part", b"no picture")
        file = _exported(bench, "parquet")
        table = parquet.read_table(io.BytesIO(file))
        rows = list(csv.DictReader(io.StringIO(_exported(bench, "csv").decode("utf-8-sig"))))
        empty = parquet.read_table(io.BytesIO(_exported(bench, "parquet", serial="none")))
    assert [row["verdict"] for row in rows] == ["ERROR", "NG", "OK"]
    assert [{name: _as_csv(value) for name, value in row.items()} for row in table.to_pylist()] == rows
    assert {name: str(table.schema.field(name).type) for name in TYPES} == TYPES
    assert (empty.num_rows, empty.schema) == (0, table.schema)


def _exported(bench: Bench, kind: str, **query: str) -> bytes:
    answer = bench.admin.get(f"{API}/inspections:export", params={"format": kind, **query})
    assert answer.status_code == 200, answer.text
    return answer.content


def _as_csv(value: Any) -> str:
    """A value as a cell of CSV."""
    return "" if value is None else str(value)
