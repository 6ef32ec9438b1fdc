"""The model file: what is written is read, and whatever is wrong with a file is named."""

import json
import os
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from parts import bank_of
from safetensors import safe_open
from safetensors.numpy import save_file

import blemish
from blemish.arrays import Array
from blemish.detector import Detector, load
from blemish.errors import ModelFileError
from blemish.model.container import pack
from blemish.model.file import DIGEST, MANIFEST, checked_tensors, seal, tensor_kinds
from blemish.model.manifest import FORMAT
from blemish.model.model import tensor_sha256
from blemish.model.tensor_checks import OPTIONAL
from blemish.options.settings import make_settings

OF_NAMED = "look.scale", "look.peaks", "look.overall", "bank.scale"
"""Only looks that were named have these."""
TENSORS = {name: kind for name, kind in tensor_kinds(make_settings()).items() if name not in OF_NAMED}
"""Those of a model of one look that was not named."""
Tensors = dict[str, Array]


def contents(path: Path) -> tuple[dict[str, Any], Tensors]:
    """A model's manifest and tensors, by safetensors alone."""
    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["blemish"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@pytest.fixture
def rewrite(model: Path, tmp_path: Path) -> Callable[..., Path]:
    """Write a copy of the model whose manifest and tensors a function has changed.

    The digest is always made anew, as a forger would; hashes of tensors only if `hashed`.
    """

    def write(change: Callable[[dict[str, Any], Tensors], object], *, hashed: bool = False) -> Path:
        manifest, tensors = contents(model)
        change(manifest, tensors)
        path = tmp_path / "changed.blemish"
        if hashed:
            manifest |= {"sha256": {name: tensor_sha256(tensor) for name, tensor in tensors.items()}}
        metadata = {MANIFEST: json.dumps(manifest)}
        path.write_bytes(pack(tensors, metadata | {DIGEST: seal(metadata)}))
        return path

    return write


def test_round_trip(detector: Detector, model: Path) -> None:
    manifest, tensors = checked_tensors(model.read_bytes(), str(model))
    assert manifest.model_copy(update={"sha256": {}}) == detector.manifest
    np.testing.assert_array_equal(tensors["bank.rows"], bank_of(detector).rows_KD)
    assert tensors["graph.onnx"].tobytes() == detector.model.graph
    assert set(manifest.sha256) == set(TENSORS)


def test_any_safetensors_reader_opens_it(model: Path) -> None:
    manifest, tensors = contents(model)
    assert manifest["format"] == FORMAT
    assert set(tensors) == set(TENSORS)


TRAVELS = {("cluster", name) for name in ("worker.py", "conducting.py", "conductor.py")}


def test_no_source_file_pickles() -> None:
    for path in Path(blemish.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        # Calls on a cluster and their answers are pickled, as Ray does with all that travels; no file ever is.
        assert "import pickle" not in text or path.parts[-2:] in TRAVELS, path
        assert "allow_pickle" not in text.replace("allow_pickle=False", ""), path
        assert "torch.load" not in text or "weights_only=True" in text, path


@pytest.mark.parametrize("name", [name for name in TENSORS if name not in OPTIONAL])
def test_each_missing_tensor_is_named(rewrite: Callable[..., Path], name: str) -> None:
    path = rewrite(lambda _, tensors: tensors.pop(name))
    with pytest.raises(ModelFileError, match=f"tensor {name} is missing"):
        load(path)


@pytest.mark.parametrize("name", TENSORS)
def test_one_damaged_byte_in_each_tensor_is_named(rewrite: Callable[..., Path], name: str) -> None:
    def damage(_: dict[str, Any], tensors: Tensors) -> None:
        changed = tensors[name].copy()
        changed.view(np.uint8).reshape(-1)[0] ^= 1
        tensors[name] = changed

    with pytest.raises(ModelFileError, match=f"sha256 of tensor {name} does not match"):
        load(rewrite(damage))


@pytest.mark.parametrize("name", TENSORS)
@pytest.mark.parametrize(
    "change",
    [lambda tensor: tensor.astype(np.uint16), lambda tensor: tensor[None], lambda tensor: tensor[:0]],
    ids=["type", "axes", "empty"],
)
def test_a_wrong_type_or_shape_is_named(
    rewrite: Callable[..., Path], name: str, change: Callable[[Array], Array]
) -> None:
    path = rewrite(lambda _, tensors: tensors.update({name: change(tensors[name])}), hashed=True)
    with pytest.raises(ModelFileError, match=f"tensor {name} is .* of shape"):
        load(path)


@pytest.mark.parametrize("name", [name for name, (_, axes) in TENSORS.items() if axes in ("K", "m")])
def test_a_tensor_of_another_length_is_named(rewrite: Callable[..., Path], name: str) -> None:
    path = rewrite(lambda _, tensors: tensors.update({name: tensors[name][:-1]}), hashed=True)
    # The first tensor of an axis sets its length, so the next one differs where the first is short.
    with pytest.raises(ModelFileError, match=rf"tensor ({name}|calibration.scores) has \d+ [Km], not \d+"):
        load(path)


@pytest.mark.parametrize("name", ["bank.rows", "bank.radii", "calibration.scores"])
def test_not_a_number_is_named(rewrite: Callable[..., Path], name: str) -> None:
    def spoil(_: dict[str, Any], tensors: Tensors) -> None:
        tensors[name] = np.full_like(tensors[name], np.nan)

    with pytest.raises(ModelFileError, match=f"tensor {name} holds NaN"):
        load(rewrite(spoil, hashed=True))


@pytest.mark.parametrize("name", ["bank.image", "bank.cell", "calibration.image"])
@pytest.mark.parametrize("value", [-1, 10**6])
def test_a_row_from_nowhere_is_named(rewrite: Callable[..., Path], name: str, value: int) -> None:
    path = rewrite(lambda _, tensors: tensors.update({name: np.full_like(tensors[name], value)}), hashed=True)
    with pytest.raises(ModelFileError, match=f"tensor {name} names {value}"):
        load(path)


def test_a_newer_format_asks_for_a_newer_blemish(rewrite: Callable[..., Path]) -> None:
    path = rewrite(lambda manifest, _: manifest.update({"format": FORMAT + 1, "colour": "of a field yet unknown"}))
    with pytest.raises(ModelFileError, match=rf"has format {FORMAT + 1}; this blemish reads up to {FORMAT}\. Install"):
        load(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 0),
        ("format", "2"),
        ("format", None),
        ("method", "x"),
        ("grid", [1]),
        ("transform", {}),
        ("x", 1),
    ],
)
def test_a_wrong_field_of_the_manifest_is_named(rewrite: Callable[..., Path], field: str, value: object) -> None:
    with pytest.raises(ModelFileError, match=f"field {field}"):
        load(rewrite(lambda manifest, _: manifest.update({field: value})))


def test_a_missing_field_of_the_manifest_is_named(rewrite: Callable[..., Path]) -> None:
    for field in ("format", "method", "calibration"):
        with pytest.raises(ModelFileError, match=f"field {field}"):
            load(rewrite(lambda manifest, _, field=field: manifest.pop(field)))


def test_files_that_are_no_models(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "no.blemish"
    save_file({"a": np.zeros(3)}, path)
    with pytest.raises(ModelFileError, match="safetensors file but not a blemish model"):
        load(path)
    for content in (b"", b"just some text, longer than a header", model.read_bytes()[:-100], model.read_bytes()[:50]):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=r"no\.blemish is not a blemish model, or it is damaged"):
            load(path)
    with pytest.raises(ModelFileError, match="does not exist; blemish fit makes"):
        load(tmp_path / "absent.blemish")
    with pytest.raises(ModelFileError, match="is not a file"):
        load(tmp_path)


@dataclass(frozen=True)
class Harm:
    """Unpickled, it makes a folder."""

    folder: Path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return os.mkdir, (self.folder,)


def test_a_pickle_is_no_model_and_is_not_run(tmp_path: Path) -> None:
    pickled = pickle.dumps(Harm(tmp_path / "harm"))
    (tmp_path / "part.blemish").write_bytes(pickled)
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("model/data.pkl", pickled)
    for name in ("part.blemish", "model.pt"):
        with pytest.raises(ModelFileError, match="is not a blemish model, or it is damaged"):
            load(tmp_path / name)
    assert not (tmp_path / "harm").exists()


def test_a_tensor_named_twice_and_a_header_without_end_are_refused(model: Path, tmp_path: Path) -> None:
    whole = model.read_bytes()
    (length,) = struct.unpack_from("<Q", whole)
    header, body = whole[8 : 8 + length].rstrip(), whole[8 + length :]
    tensor = {"bank.cell": json.loads(header)["bank.cell"]}
    twice = header[:-1] + b"," + json.dumps(tensor)[1:].encode()
    path = tmp_path / "odd.blemish"
    path.write_bytes(struct.pack("<Q", len(twice)) + twice + body)
    with pytest.raises(ModelFileError, match=r"'bank\.cell' comes twice"):
        load(path)
    path.write_bytes(struct.pack("<Q", 120_000_000) + header)
    with pytest.raises(ModelFileError, match="its header is cut off"):
        load(path)


def test_a_manifest_that_is_not_json(model: Path, tmp_path: Path) -> None:
    _, tensors = contents(model)
    for text in ("{", "[1]", '"text"'):
        save_file(tensors, tmp_path / "a.blemish", metadata={"blemish": text})
        with pytest.raises(ModelFileError, match="manifest"):
            load(tmp_path / "a.blemish")


def graph_with(node: onnx.NodeProto, *, external: bool = False) -> Array:
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    if external:
        weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
        weight.external_data.add(key="location", value="secret.bin")
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("image", "patches")]
    graph = helper.make_graph([node], "g", info[:1], info[1:], [weight])
    return np.frombuffer(helper.make_model(graph).SerializeToString(), np.uint8)


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (graph_with(helper.make_node("Mul", ["image", "w"], ["patches"]), external=True), "external data"),
        (graph_with(helper.make_node("Run", ["image"], ["patches"], domain="com.evil")), "com.evil"),
        (np.frombuffer(b"no graph at all", np.uint8), "no ONNX network"),
    ],
    ids=["external data", "custom operator", "no graph"],
)
def test_a_graph_that_could_do_harm_is_refused(rewrite: Callable[..., Path], graph: Array, reason: str) -> None:
    path = rewrite(lambda _, tensors: tensors.update({"graph.onnx": graph}), hashed=True)
    with pytest.raises(ModelFileError, match=f"tensor graph.onnx: .*{reason}"):
        load(path)


def test_tensors_of_later_versions_are_left_alone(rewrite: Callable[..., Path]) -> None:
    path = rewrite(lambda _, tensors: tensors.update({"search.rows": np.zeros((2, 2), np.float32)}), hashed=True)
    assert load(path).info()["images"] == 8


def test_saving_over_a_model_replaces_it(detector: Detector, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "部品 1.blemish"
    path.write_bytes(b"old")
    detector.save(path)
    assert path.read_bytes() == model.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_a_failing_save_keeps_the_old_model(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "part.blemish"
    path.write_bytes(b"old")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelFileError, match=r"part\.blemish could not be written: No space left on device; nothing"):
        detector.save(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a folder that nobody can write to")
def test_a_folder_that_cannot_be_written(detector: Detector) -> None:
    with pytest.raises(ModelFileError, match=r"/proc/part\.blemish could not be written"):
        detector.save("/proc/part.blemish")


def test_a_missing_folder(detector: Detector, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"folder .*absent does not exist; create it"):
        detector.save(tmp_path / "absent" / "part.blemish")
