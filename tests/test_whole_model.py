"""A model file is covered whole: records, graph, journal and every range; and each method's file is read again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from parts import good_part

import blemish
from blemish.backbones.checked import CheckedGraph
from blemish.backbones.network import open_network
from blemish.backbones.shapes import work_of
from blemish.detector import Detector, load
from blemish.errors import BackboneError, ImageError, ModelFileError
from blemish.images.training_image import TrainingImage
from blemish.methods.method import Scores
from blemish.methods.patchcore import PatchCore
from blemish.model.container import pack, unpack
from blemish.model.file import DIGEST, MANIFEST, model_bytes, model_of, seal
from blemish.model.model import tensor_sha256
from blemish.result import Verdict

OPTIONS: list[dict[str, Any]] = [
    {},
    {"preset": "paper"},
    {"looks": ["128:2+3", "64:2+3"]},
    {"looks": ["128:2+3", "64:3", "64:2+3:even"]},
    {"bank_type": "float16", "projection": 16, "image_score": "reweighted"},
    {"merge": "adaptive", "patch_size": 5, "patch_stride": 2, "image_score": "top"},
    {"size": "256x512", "tiles": 320, "tile_banks": "each"},
    {"size": "256x512", "tiles": 320, "image_score": "max"},
    {"align": "rigid"},
    {"include": ["0,0,100x90"]},
    {"removable": False, "calibration": "split", "held_out": 2},
    {"method": "padim"},
    {"method": "padim", "preset": "paper", "align": "shift"},
    {"method": "spade"},
    {"method": "1-nn"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ",".join(f"{k}={v}" for k, v in options.items()))
def test_what_is_stored_is_read_again_for_every_method_and_option(options: dict[str, Any], tmp_path: Path) -> None:
    common: dict[str, Any] = {"folds": 2} if "looks" in options else {"folds": 2, "size": 96}
    common |= {"coreset": 40} if "method" not in options else {}
    detector = blemish.fit([good_part(seed) for seed in range(6)], **(common | options))
    detector.save(tmp_path / "part.blemish")
    again = load(tmp_path / "part.blemish")
    assert again.model.digest == detector.model.digest
    assert again.inspect(good_part(20)) == detector.inspect(good_part(20))
    again.save(tmp_path / "again.blemish")
    assert (tmp_path / "again.blemish").read_bytes() == (tmp_path / "part.blemish").read_bytes()


Change = Callable[[dict[str, Any], dict[str, Any]], object]


def forged(content: bytes, change: Change) -> bytes:
    """The file with its manifest and tensors changed, and all hashes made anew."""
    box = unpack(content)
    manifest, tensors = json.loads(box.metadata[MANIFEST]), dict(box.tensors)
    change(manifest, tensors)
    manifest["sha256"] = {name: tensor_sha256(tensor) for name, tensor in tensors.items()}
    metadata = {MANIFEST: json.dumps(manifest)}
    return pack(tensors, metadata | {DIGEST: seal(metadata)})


def test_a_digest_covers_the_manifest(model: Path) -> None:
    content = model.read_bytes()
    threshold = json.loads(unpack(content).metadata[MANIFEST])["calibration"]["threshold"]
    place = content.index(f'\\"threshold\\":{threshold}'.encode()) + len('\\"threshold\\":')
    for bit in range(8):
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        with pytest.raises(ModelFileError):
            model_of(bytes(damaged), "a")


@pytest.mark.long
def test_300_000_images_are_saved_and_read(detector: Detector) -> None:
    known = detector.manifest.images
    digest = "0123456789abcdef" * 4
    more = [
        TrainingImage(path=f"/line/部品/{n:07}.png", group=f"part {n}", height=96, width=144, pixels=digest)
        for n in range(300_000 - len(known))
    ]
    manifest = detector.manifest.model_copy(update={"images": (*known, *more)})
    large = Detector.of(detector.model, threads=1).model
    content = model_bytes(type(large)(manifest, large.method, large.graph, large.held_out))
    assert int.from_bytes(content[:8], "little") < 20_000
    again = model_of(content, "large")
    assert again.manifest.images == manifest.images


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("transform.height", 0),
        ("transform.width", -1),
        ("transform.high", 0.0),
        ("grid", [0, 1]),
        ("settings", {"method": "x"}),
        ("calibration.groups", 0),
        ("calibration.above", -1),
        ("calibration.above", 10**6),
        ("calibration.images", 7),
        ("calibration.review_threshold", 1e9),
        ("calibration.map_extent", 1e9),
        ("transform.tiling", {"side": 0, "margin": 0, "unit": 0}),
        ("transform.tiling", {"side": 64, "margin": 32, "unit": 32}),
    ],
)
def test_a_field_out_of_range_is_named(model: Path, field: str, value: object) -> None:
    *holders, last = field.split(".")

    def change(manifest: dict[str, Any], _: object) -> None:
        for name in holders:
            manifest = manifest[name]
        manifest[last] = value

    with pytest.raises(ModelFileError, match=f"field {field}"):
        model_of(forged(model.read_bytes(), change), "a")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m, t: t.update({"edges.scale": t["edges.scale"][:-1]}), "edges.scale has 8 numbers, not 9"),
        (lambda m, t: t.update({"edges.scale": t["edges.scale"] * 0}), "something is divided by it"),
        (lambda m, t: t.update({"bank.radii": t["bank.radii"] - 99}), "must not be negative"),
        (lambda m, t: t.update({"journal.0.bank.rows": t["bank.rows"]}), "which no change of a model writes"),
        (lambda m, t: m.update({"images": []}), "must be a tensor instead"),
    ],
)
def test_tensors_that_cannot_be_are_named(model: Path, change: Change, words: str) -> None:
    with pytest.raises(ModelFileError, match=words):
        model_of(forged(model.read_bytes(), change), "a")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m, t: t.pop("journal.0.bank.rows"), "not all there"),
        (lambda m, t: t.update({"journal.0.bank.taken_at": t["journal.0.bank.taken_at"][::-1]}), "were not there"),
        (lambda m, t: t.update({"journal.0.bank.taken_at": t["journal.0.bank.taken_at"] + 10**6}), "were not there"),
        (lambda m, t: t.update({"journal.0.bank.image": t["journal.0.bank.image"] - 99}), "were not there"),
        (lambda m, t: m["journal"][0]["numbers"].append(3), r"field journal\.0\.numbers"),
        (lambda m, t: m["journal"][0]["added"].update(bank=-1), r"field journal\.0\.added"),
    ],
)
def test_a_journal_that_could_not_be_undone_is_named(detector: Detector, change: Change, words: str) -> None:
    content = model_bytes(detector.remove([2]).model)
    assert model_of(content, "a").manifest.journal
    with pytest.raises(ModelFileError, match=words):
        model_of(forged(content, change), "a")


def test_a_bank_of_another_depth_than_the_graph_s_is_refused(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.blemish"

    def narrower(_: object, tensors: dict[str, Any]) -> None:
        for name in ("bank.rows", "candidates.rows"):
            tensors[name] = np.ascontiguousarray(tensors[name][:, :-1])

    path.write_bytes(forged(model.read_bytes(), narrower))
    with pytest.raises(ModelFileError, match="its graph and its tensors do not fit together"):
        load(path)


def test_a_score_that_is_not_finite_is_an_error(
    detector: Detector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for score in (np.nan, np.inf, -np.inf):
        monkeypatch.setattr(PatchCore, "score", lambda *_, score=score, **__: Scores(float(score), None))
        with pytest.raises(ImageError, match="not finite"):
            detector.inspect(good_part(1))
        result = next(iter(detector.inspect_many([good_part(1)])))
        assert result.verdict == Verdict.ERROR


@pytest.mark.parametrize("operator", ["Loop", "If", "RandomNormal", "ConstantOfShape", "StringSplit"])
def test_an_operator_that_is_not_listed_is_named(operator: str) -> None:
    node = helper.make_node(operator, [], ["y"])
    graph = helper.make_graph([node], "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])])
    with pytest.raises(BackboneError, match=f"operator {operator}, which is not among"):
        open_network(helper.make_model(graph).SerializeToString())


def test_what_a_graph_takes_is_told_before_it_runs(detector: Detector) -> None:
    transform = detector.manifest.transform
    work = work_of(open_network(detector.model.graph), (transform.height, transform.width, 3))
    assert work.outputs["patches"][:2] == detector.manifest.grid
    assert 0 < work.peak < 10e6
    twice = work_of(open_network(detector.model.graph), (2 * transform.height, 2 * transform.width, 3))
    assert 3.5 < twice.multiplications / work.multiplications < 4.5


def test_what_a_graph_takes_is_reckoned_once_for_each_shape(detector: Detector) -> None:
    graph = CheckedGraph(detector.model.graph)
    assert graph.work((64, 96, 3)) is graph.work((64, 96, 3))
    assert graph.work((96, 64, 3)).outputs != graph.work((64, 96, 3)).outputs
    for shape in ((64, 96, 3), (96, 64, 3)):  # what was told of one shape does not change what is told of another
        assert graph.work(shape) == work_of(open_network(detector.model.graph), shape)


def test_sizes_that_a_graph_computes_are_followed() -> None:
    """As exports of networks with positions do: the height, over four, becomes the side of a tensor."""
    nodes = [
        helper.make_node("Shape", ["image"], ["height"], start=0, end=1),
        helper.make_node("Div", ["height", "four"], ["rows"]),
        helper.make_node("Reshape", ["rows", "one"], ["side"]),
        helper.make_node("Concat", ["side", "side", "one"], ["sides"], axis=0),
        helper.make_node("Expand", ["value", "sides"], ["patches"]),
    ]
    weights = [helper.make_tensor(name, TensorProto.INT64, [1], [n]) for name, n in (("four", 4), ("one", 1))]
    weights.append(helper.make_tensor("value", TensorProto.FLOAT, [1], [0.0]))
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["height", "width", 3])
    answer = helper.make_tensor_value_info("patches", TensorProto.FLOAT, ["h", "w", "d"])
    graph = helper.make_graph(nodes, "positions", [image], [answer], weights)
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert work_of(open_network(network.SerializeToString()), (32, 48, 3)).outputs == {"patches": (8, 8, 1)}


def test_models_of_formats_before_the_digest_are_read(tmp_path: Path) -> None:
    for version in (1, 2):
        again = load(Path(__file__).parent / "golden" / f"format-{version}.blemish")
        again.save(tmp_path / "new.blemish")
        assert DIGEST in unpack((tmp_path / "new.blemish").read_bytes()).metadata
