"""Exports in fewer bits: smaller files of standard operators, written only where a measured loss is within the bars."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from parts import bank_of, good_part, save_image, scratched_part, stained_part
from shell import RunCli

from blemish.arrays import Floats
from blemish.detector import Detector
from blemish.export import loss
from blemish.export.artefact import Artefact
from blemish.export.exporting import export_bytes
from blemish.export.lighter import Precision, lighter
from blemish.export.loss import Loss
from blemish.language.translation import translated

LIGHTER: list[Precision] = ["bfloat16", "int8"]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So many good parts as have to be looked at."""
    folder = tmp_path_factory.mktemp("good")
    for seed in range(loss.LEAST):
        save_image(folder / f"{seed}.png", good_part(1000 + seed))
    return folder


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    for seed in range(5):
        save_image(folder / f"scratch{seed}.png", scratched_part(2000 + seed).grey)
        save_image(folder / f"stain{seed}.png", stained_part(2000 + seed).grey)
    return folder


def test_files_are_about_half_and_a_third_as_large_and_say_so(detector: Detector) -> None:
    sizes, said = {}, {}
    for precision in ("float32", *LIGHTER):
        content = export_bytes(detector.model, precision=precision)
        sizes[precision] = len(content)
        metadata = {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}
        said[precision] = json.loads(metadata["blemish"])["precision"]
    assert list(said) == list(said.values())
    assert sizes["bfloat16"] < 0.56 * sizes["float32"]
    assert sizes["int8"] < 0.4 * sizes["float32"]


@pytest.mark.parametrize("precision", LIGHTER)
def test_scores_stay_near(detector: Detector, tmp_path: Path, precision: Precision) -> None:
    path = tmp_path / "part.onnx"
    path.write_bytes(export_bytes(detector.model, precision=precision))
    artefact = Artefact.load(path, threads=1)
    for image in (good_part(100), scratched_part(102).grey):
        ours, theirs = detector.inspect(image), artefact.inspect(image)
        assert theirs.score == pytest.approx(ours.score, rel=0.05)
        assert theirs.score != ours.score


def small_graph(values: Floats, name: str = "weights") -> onnx.ModelProto:
    """One product with these weights."""
    made = onnx.helper.make_node("MatMul", ["x", name], ["y"])
    ends = [onnx.helper.make_tensor_value_info(each, onnx.TensorProto.FLOAT, None) for each in "xy"]
    graph = onnx.helper.make_graph([made], "small", ends[:1], ends[1:], [numpy_helper.from_array(values, name)])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


def unpacked(model: onnx.ModelProto, values: Floats) -> Floats:
    """What its weights are when it runs."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString())
    answer: Floats = session.run(["y"], {"x": np.eye(len(values), dtype=np.float32)})[0]
    return answer


def test_whole_numbers_are_off_by_half_a_step_of_their_filter_and_bfloat16_by_a_256th() -> None:
    values = np.random.default_rng(0).normal(0, 1, (80, 64)).astype(np.float32)
    values[3], values[4, 0] = 0, 1e6
    steps = np.abs(values).max(axis=1, keepdims=True) / 127
    whole = unpacked(lighter(small_graph(values), "int8"), values)
    assert (np.abs(whole - values) <= 0.501 * steps).all()
    assert not whole[3].any(), "a filter of zeros"
    upper = unpacked(lighter(small_graph(values), "bfloat16"), values)
    assert (np.abs(upper - values) <= np.abs(values) / 256).all()
    assert np.array_equal(unpacked(lighter(small_graph(values), "float32"), values), values)


def test_halves_are_rounded_to_even() -> None:
    bits = np.array([[0x3F808000, 0x3F818000, 0x3F808001, 0xBF808000]], np.uint32)
    values = np.repeat(bits, 64, axis=0).view(np.float32)
    upper = unpacked(lighter(small_graph(values), "bfloat16"), values)
    assert upper[0].view(np.uint32).tolist() == [0x3F800000, 0x3F820000, 0x3F810000, 0xBF800000]


def test_the_map_is_drawn_by_numbers_as_exact_as_before(detector: Detector) -> None:
    """Of what is behind the network, the memory alone has fewer bits."""
    graph = onnx.load_from_string(export_bytes(detector.model, precision="int8")).graph
    changed = {each.name for each in graph.initializer if each.data_type == onnx.TensorProto.BFLOAT16}
    memory = [name for name in changed if name.startswith("blemish/")]
    assert len(memory) == 1
    kept = [each for each in graph.initializer if each.name == memory[0]]
    assert tuple(kept[0].dims) == bank_of(detector).rows_KD.shape


def test_the_command_measures_and_writes(model: Path, good: Path, bad: Path, tmp_path: Path, run_cli: RunCli) -> None:
    path = tmp_path / "part.onnx"
    ended = run_cli("export", model, "-o", path, "--precision", "int8", "--check", good, "--defective", bad)
    assert ended.code == 0, ended
    assert "0 of 100 good images get another verdict" in ended.stderr
    assert "defective ones get another, AUROC" in ended.stderr
    assert Artefact.load(path).document.precision == "int8"


def test_openvino_unpacks_them_too(
    model: Path, folder: Path, tmp_path: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino", reason="needs the extra openvino")
    monkeypatch.setattr(loss, "LEAST", 2)
    words = ["export", model, "-o", tmp_path / "part.xml", "--to", "openvino"]
    ended = run_cli(*words, "--precision", "int8", "--check", folder / "line")
    assert ended.code == 0, ended
    weights = (tmp_path / "part.bin").stat().st_size
    assert run_cli(*words).code == 0
    assert weights < 0.4 * (tmp_path / "part.bin").stat().st_size


def test_what_loses_too_much_is_refused_with_the_figures(
    model: Path, good: Path, tmp_path: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lossy(*_: object) -> Loss:
        return Loss(good=100, defective=10, verdicts=(1, 2), score=0.05, auroc=(97.5, 97.0))

    monkeypatch.setattr(loss, "measured_loss", lossy)
    sentence = run_cli("export", model, "-o", tmp_path / "p.onnx", "--precision", "int8", "--check", good).sentence
    assert "1 of 100 good images get another verdict, scores differ by 5.00%" in sentence
    assert "2 of 10 defective ones get another, AUROC 97.50 % becomes 97.00 %" in sentence
    assert list(tmp_path.iterdir()) == []
    assert "97.50 % から 97.00 %" in translated(sentence)


@pytest.mark.parametrize(
    ("verdicts", "auroc", "bearable"),
    [
        ((1, 0), None, True),
        ((2, 0), None, False),
        ((0, 9), (90.0, 89.75), True),
        ((0, 0), (90.0, 89.69), False),
        ((0, 0), (90.0, 91.0), True),
    ],
)
def test_the_bars(verdicts: tuple[int, int], auroc: tuple[float, float] | None, bearable: bool) -> None:
    assert Loss(good=200, defective=9, verdicts=verdicts, score=0.0, auroc=auroc).bearable == bearable


def test_what_cannot_be_measured_is_refused(
    model: Path, detector: Detector, folder: Path, good: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    words = ["export", model, "-o", tmp_path / "part.onnx", "--precision", "int8"]
    assert "give 100 or more with --check" in run_cli(*words).sentence
    assert "4 good images cannot show" in run_cli(*words, "--check", folder / "line").sentence
    seen = run_cli(*words, "--check", good, "--check", folder / "fit")
    assert "8 of the 108 good images are in the memory" in seen.sentence
    plain = run_cli("export", model, "-o", tmp_path / "part.onnx", "--defective", folder / "line")
    assert "it is for bfloat16 and int8" in plain.sentence
    assert list(tmp_path.iterdir()) == []
