"""Model files as somebody would craft them: every hash and digest is right, and something in them is not."""

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper

from blemish.arrays import Array
from blemish.model.container import pack, unpack
from blemish.model.file import DIGEST, MANIFEST, seal
from blemish.model.model import tensor_sha256

__all__ = ["crafted", "sealed"]

Fields = dict[str, Any]
Tensors = dict[str, Array]
Nodes = list[onnx.NodeProto]

NUMBERS = [0, -1, 1 << 40, 1e308]
OTHERS: list[Any] = ["x", None, [], {}, True]
GRAPH = "graph.onnx"
IMAGES = "images.jsonl"


def sealed(fields: Fields, tensors: Tensors, *, text: str | None = None) -> bytes:
    """A file whose hashes and digest fit; `text` takes the place of the manifest."""
    fields = fields | {"sha256": {name: tensor_sha256(tensor) for name, tensor in tensors.items()}}
    metadata = {MANIFEST: text or json.dumps(fields)}
    return pack(tensors, metadata | {DIGEST: seal(metadata)})


def crafted(base: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of files made from a sound one."""
    box = unpack(base.read_bytes())
    fields, tensors = json.loads(box.metadata[MANIFEST]), dict(box.tensors)
    yield from _fields(fields, tensors)
    yield from _tensors(fields, tensors)
    yield from _graphs(fields, tensors)
    yield from _pictures(fields, tensors)
    yield from _records(fields, tensors)
    yield from _headers(base.read_bytes(), fields, tensors)


def _fields(fields: Fields, tensors: Tensors) -> Iterator[tuple[str, bytes]]:
    """Each number of the manifest out of range; each field of another type, or missing."""
    for number, (path, value) in enumerate(_leaves(fields)):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        for other in [*(NUMBERS if is_number else []), OTHERS[number % len(OTHERS)]]:
            yield f"field {'.'.join(map(str, path))} = {other!r}", sealed(_with(fields, path, other), tensors)
    for name in fields:
        left = {each: value for each, value in fields.items() if each != name}
        yield f"no field {name}", sealed(left, tensors)
    tiling = {"side": 0, "margin": 0, "unit": 0}
    for changed in ({}, {"side": 64}, {"side": 64, "unit": 32, "margin": 32}, {"side": 1 << 40, "unit": 1}):
        yield f"tiling {changed}", sealed(_with(fields, ("transform", "tiling"), tiling | changed), tensors)
    for method in ("padim", "spade", "1-nn", "cavga"):
        yield f"method {method}", sealed(fields | {"method": method}, tensors)
        settings = _with(fields, ("settings",), {"method": method})
        yield f"method and settings {method}", sealed(settings | {"method": method}, tensors)


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict) and path != ("sha256",):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif path != ("sha256",):
        yield path, value


def _with(fields: Fields, path: tuple[Any, ...], value: Any) -> Fields:
    changed = json.loads(json.dumps(fields))
    holder = changed
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = value
    return dict(changed)


def _tensors(fields: Fields, tensors: Tensors) -> Iterator[tuple[str, bytes]]:
    changes: dict[str, Callable[[Array], Array]] = {
        "shorter": lambda tensor: tensor[:-1],
        "twice": lambda tensor: np.concatenate([tensor, tensor]),
        "of halves": lambda tensor: tensor.astype(np.float16),
        "negative": lambda tensor: (-1 - tensor.astype(np.float64)).astype(tensor.dtype),
        "huge": lambda tensor: np.full_like(tensor, np.finfo(np.float32).max if tensor.dtype.kind == "f" else 255),
        "of zeros": np.zeros_like,
        "not a number": lambda tensor: np.full_like(tensor, np.nan) if tensor.dtype.kind == "f" else tensor[::-1],
        "empty": lambda tensor: tensor[:0],
    }
    with np.errstate(all="ignore"):
        for name, tensor in tensors.items():
            for change, made in changes.items():
                yield f"{name} {change}", sealed(fields, {**tensors, name: made(tensor)})
            yield f"{name} missing", sealed(fields, {each: tensors[each] for each in tensors if each != name})
    rows = tensors["bank.rows"]
    for name in ("journal.0.bank.rows", "journal.x.y", "journal.99999999999999999999.bank.rows", "journal.0.images"):
        yield f"more: {name}", sealed(fields, {**tensors, name: rows})
    yield "bank of another depth", sealed(fields, {**tensors, "bank.rows": rows[:, :-1]})


def _graphs(fields: Fields, tensors: Tensors) -> Iterator[tuple[str, bytes]]:
    """Graphs that would read files, never end, draw numbers or fill the memory; and those of other shapes."""

    def file(graph: onnx.ModelProto) -> bytes:
        return sealed(fields, {**tensors, GRAPH: np.frombuffer(graph.SerializeToString(), np.uint8)})

    grid, depth = fields["grid"], tensors["bank.rows"].shape[1]
    shape = helper.make_tensor("shape", TensorProto.INT64, [3], [*grid, depth])
    large = helper.make_tensor("large", TensorProto.INT64, [3], [20_000, 20_000, 4])
    wide = helper.make_tensor("wide", TensorProto.INT64, [2], [1 << 15, 1 << 15])
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    zero = helper.make_tensor("zero", TensorProto.INT64, [], [0])
    step = helper.make_tensor("step", TensorProto.INT64, [], [1])
    end = helper.make_tensor("end", TensorProto.INT64, [], [1 << 31])
    weights = [shape, large, wide, one, zero, step, end]
    answer = helper.make_node("Expand", ["one", "shape"], ["patches"])
    body = helper.make_graph([], "body", [], [])
    bombs: dict[str, Nodes] = {
        "a constant answer": [answer],
        "Loop": [helper.make_node("Loop", ["end", ""], ["x"], body=body), answer],
        "If": [helper.make_node("If", ["one"], ["x"], then_branch=body, else_branch=body), answer],
        "Scan": [helper.make_node("Scan", ["one"], ["x"], body=body, num_scan_inputs=1), answer],
        "RandomNormal": [helper.make_node("RandomNormal", [], ["patches"], shape=[*grid, depth])],
        "RandomUniformLike": [helper.make_node("RandomUniformLike", ["one"], ["x"]), answer],
        "Bernoulli": [helper.make_node("Bernoulli", ["one"], ["x"]), answer],
        "ConstantOfShape": [helper.make_node("ConstantOfShape", ["large"], ["patches"])],
        "Expand of 6 GB": [helper.make_node("Expand", ["one", "large"], ["patches"])],
        "Tile": [helper.make_node("Expand", ["one", "shape"], ["x"]), helper.make_node("Tile", ["x", "large"], ["y"])],
        "Range of 2^31": [helper.make_node("Range", ["zero", "end", "step"], ["x"]), answer],
        "MatMul of 2^15": [
            helper.make_node("Expand", ["one", "wide"], ["x"]),
            helper.make_node("MatMul", ["x", "x"], ["y"]),
            answer,
        ],
        "a custom operator": [helper.make_node("Run", ["image"], ["patches"], domain="com.evil")],
        "output by another name": [helper.make_node("Expand", ["one", "shape"], ["other"])],
        "no output": [],
    }
    for name, nodes in bombs.items():
        yield name, file(_graph(nodes, weights))
    yield "a function of its own", file(_with_function(_graph([answer], weights)))
    yield "a sparse attribute", file(_with_sparse_attribute(_graph([answer], weights)))
    yield "a sparse weight in a file", file(_with_sparse_weight(_graph([answer], weights)))
    yield "a weight in a file", file(_with_file(_graph([answer], weights)))
    yield "a weight that is not there", file(_graph([answer], [*weights, TensorProto(name="w", data_type=1, dims=[9])]))
    for name, sides in {"flat": grid, "transposed": [*grid[::-1], depth], "deeper": [*grid, depth + 1]}.items():
        other = helper.make_tensor("shape", TensorProto.INT64, [len(sides)], sides)
        yield f"grid {name}", file(_graph([answer], [other, one]))
    yield "no graph", sealed(fields, {**tensors, GRAPH: np.frombuffer(b"no graph at all", np.uint8)})


def _graph(nodes: Nodes, weights: list[TensorProto]) -> onnx.ModelProto:
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["height", "width", 3])
    made = {name for node in nodes for name in node.output}
    names = ["other"] if "other" in made else ["patches"] if "patches" in made else ["y"] if "y" in made else []
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
    graph = helper.make_graph(nodes, "crafted", [image], outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _with_function(model: onnx.ModelProto) -> onnx.ModelProto:
    node = helper.make_node("Relu", ["a"], ["b"])
    function = helper.make_function("", "Clip", ["a"], ["b"], [node], [helper.make_opsetid("", 17)])
    model.functions.append(function)
    return model


def _outside() -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="secret.bin")
    return tensor


def _with_file(model: onnx.ModelProto) -> onnx.ModelProto:
    model.graph.initializer.append(_outside())
    return model


def _with_sparse_weight(model: onnx.ModelProto) -> onnx.ModelProto:
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(_outside(), indices, [1]))
    return model


def _with_sparse_attribute(model: onnx.ModelProto) -> onnx.ModelProto:
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    sparse = helper.make_sparse_tensor(_outside(), indices, [1])
    attribute = AttributeProto(name="sparse_value", type=AttributeProto.SPARSE_TENSOR, sparse_tensor=sparse)
    node = helper.make_node("Constant", [], ["secret"])
    node.attribute.append(attribute)
    model.graph.node.insert(0, node)
    return model


def _pictures(fields: Fields, tensors: Tensors) -> Iterator[tuple[str, bytes]]:
    """Masks and pictures whose few bytes claim many pixels."""
    for side in (1, 13_376, 65_000):
        text = base64.b64encode(_png(side)).decode()
        yield f"mask of {side} pixels", sealed(fields | {"places": {"mask": text}}, tensors)
        aligner = {"motion": "shift", "height": side, "width": side, "picture": text}
        yield f"picture of {side} pixels", sealed(fields | {"aligner": aligner}, tensors)
    yield "mask that is none", sealed(fields | {"places": {"mask": "x"}}, tensors)


def _png(side: int) -> bytes:
    """A one-bit PNG, all white."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    size = side.to_bytes(4, "big")
    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * -(-side // 8)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    start = chunk(b"IHDR", size + size + bytes([1, 0, 0, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _records(fields: Fields, tensors: Tensors) -> Iterator[tuple[str, bytes]]:
    line = tensors[IMAGES].tobytes().splitlines()[0]
    for name, content in {
        "nested": b"[" * 1_000_000,
        "of lists": b"[],\n" * 1_000_000,
        "of nothing": b"\n" * 1_000_000,
        "a long line": line[:-1] + b" " * 1_000_000 + b"}\n",
        "not UTF-8": b"\xff" + line,
        "twice a key": line[:-1] + b',"height":1}\n',
        "no size": line.replace(b'"height":', b'"height":-'),
        "nobody in memory": line.replace(b'"in_memory":true', b'"in_memory":false'),
    }.items():
        yield f"records {name}", sealed(fields, {**tensors, IMAGES: np.frombuffer(content, np.uint8)})


def _headers(content: bytes, fields: Fields, tensors: Tensors) -> Iterator[tuple[str, bytes]]:
    """Headers that are large, deep, double or not as they were written."""
    length = int.from_bytes(content[:8], "little")
    header, body = content[8 : 8 + length], content[8 + length :]

    def file(header: bytes) -> bytes:
        return len(header).to_bytes(8, "little") + header + body

    text = json.dumps(fields)
    yield "a key twice in the manifest", sealed(fields, tensors, text=text[:-1] + ',"method":"patchcore"}')
    yield "a manifest nested deeply", sealed(fields, tensors, text='{"format":' + "[" * 900_000 + "]" * 900_000 + "}")
    yield "a manifest with NaN", sealed(fields, tensors, text=text.replace('"low": 0.0', '"low": NaN'))
    yield "a number of 5,000 digits", sealed(fields, tensors, text='{"format":' + "9" * 5_000 + "}")
    yield "a tensor twice", file(header.replace(b'"bank.cell"', b'"bank.image"'))
    yield "spaces", file(header.replace(b",", b", "))
    yield "no metadata", file(json.dumps({"__metadata__": {}}).encode())
    yield "an entry more", file(header.replace(b'"digest"', b'"more":"x","digest"'))
    yield "no digest", file(header.replace(b'"digest"', b'"signature"'))
    yield "brackets, 30 MB", file(b"[" * 30_000_000)
    yield "lists, 30 MB", file(b"[" + b"[]," * 10_000_000 + b"0]")
    yield "100 MB of spaces", file(header + b" " * 100_000_000)
    yield "a length beyond the file", (1 << 63).to_bytes(8, "little") + content[8:]
    yield "offsets that overlap", file(header.replace(b'"data_offsets":[0,', b'"data_offsets":[8,'))
    yield "negative offsets", file(header.replace(b'"data_offsets":[0,', b'"data_offsets":[-8,'))
    yield "a shape beyond all bytes", file(header.replace(b'"shape":[', b'"shape":[4294967296,4294967296,'))
