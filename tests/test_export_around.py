"""The rows around a row of the bank are those of the search, measured in the graph or listed in the file."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from blemish.arrays import Floats
from blemish.export import around
from blemish.export.nearest import float_rows
from blemish.export.operators import INT64, Operators
from blemish.search.exact import ExactSearch

COUNT = 9


def answered(bank_KD: Floats, count: int = COUNT) -> tuple[list[set[int]], int]:
    """The rows around every row, as the graph says; and the numbers of its constants beside the bank."""
    look: Any = SimpleNamespace(bank=SimpleNamespace(rows_KD=bank_KD), search=ExactSearch(bank_KD, threads=1))
    ops = Operators()
    ops("Identity", around.rows_around(ops, look, count, float_rows(ops, bank_KD), "found"), name="around")
    graph = helper.make_graph(
        ops.nodes,
        "around",
        [helper.make_tensor_value_info("found", INT64, [1])],
        [helper.make_tensor_value_info("around", INT64, None)],
        ops.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    said = [set(session.run(None, {"found": np.array([row])})[0].tolist()) for row in range(len(bank_KD))]
    beside = [each for each in ops.constants if each.data_type != TensorProto.FLOAT]
    return said, sum(int(np.prod(each.dims)) for each in beside)


def searched(bank_KD: Floats) -> list[set[int]]:
    _, around_Kb = ExactSearch(bank_KD, threads=1).query(bank_KD, COUNT)
    return [set(row.tolist()) for row in around_Kb]


@pytest.fixture
def bank_KD() -> Floats:
    return np.random.default_rng(0).normal(size=(300, 24)).astype(np.float32)


def test_they_are_measured_where_float32_tells_them_apart(bank_KD: Floats) -> None:
    said, beside = answered(bank_KD)
    assert said == searched(bank_KD)
    assert beside < len(bank_KD), "few rows are listed"


def test_rows_as_good_as_equally_far_are_listed(bank_KD: Floats) -> None:
    grid_KD = np.round(bank_KD[:, :3])  # nearly all distances are there several times
    said, beside = answered(grid_KD)
    assert said == searched(grid_KD)
    assert beside > len(grid_KD)


def test_all_are_listed_in_a_large_bank(bank_KD: Floats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(around, "MOST", 100)
    said, beside = answered(bank_KD)
    assert said == searched(bank_KD)
    assert beside >= COUNT * len(bank_KD)


def test_a_small_bank_is_all_around(bank_KD: Floats) -> None:
    said, _ = answered(bank_KD[:5])
    assert said == [set(range(5))] * 5
