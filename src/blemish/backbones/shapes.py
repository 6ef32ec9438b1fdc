"""What a network will take, told before it runs: the shape of every tensor, the memory and the multiplications.

ONNX infers shapes for one size of image. What it leaves open, such as the length of a Range, follows from sizes that
are known by then; those few numbers are computed here, and the shapes are inferred again.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import onnx

from blemish.arrays import Array
from blemish.errors import BackboneError

__all__ = ["Outline", "Shape", "Work", "work_of"]

Shape: TypeAlias = tuple[int, ...]
FEW = 1 << 16
"""The most numbers that are computed here: indices along one side of a grid."""
ROUNDS = 4
"""How often shapes are inferred at most; ours take two."""
ITEM = 4
"""Bytes of a number that a network computes with."""
COMPUTED: Mapping[str, Callable[[Sequence[Array], int], Array]] = {
    "Gather": lambda values, axis: np.take(values[0], values[1], axis=axis),
    "Range": lambda values, axis: np.arange(*(int(value) for value in values)),
    "Add": lambda values, axis: np.add(*values),
    "Sub": lambda values, axis: np.subtract(*values),
    "Mul": lambda values, axis: np.multiply(*values),
    "Div": lambda values, axis: np.floor_divide(*values),
    "Concat": lambda values, axis: np.concatenate(values, axis),
    "Squeeze": lambda values, axis: np.squeeze(values[0], tuple(values[1]) if len(values) > 1 else None),
    "Unsqueeze": lambda values, axis: np.expand_dims(values[0], tuple(values[1])),
    "Reshape": lambda values, axis: np.reshape(values[0], values[1]),
    "Identity": lambda values, axis: values[0],
    "Cast": lambda values, axis: values[0],
}
"""What is computed here, of sizes and indices, which are whole numbers from 0 on."""
FOLDED = 64 << 20
"""Bytes that may follow from weights alone, beyond the network's own size: runtimes compute them before any image."""
MOST_BYTES, MOST_MULTIPLICATIONS = 32 << 30, 20e12
"""What no inspection of one image takes."""


@dataclass(frozen=True)
class Work:
    """What one run takes, and what it answers."""

    outputs: Mapping[str, Shape]
    """Shapes of the outputs, in their order."""
    peak: int
    """Bytes of all tensors that are needed at once, at most."""
    multiplications: float


@dataclass(frozen=True)
class Outline:
    """A network without the data of its large weights, which tells what it takes for images of any shape."""

    model: onnx.ModelProto
    size: int
    """Bytes of the network with its weights."""

    @classmethod
    def of(cls, model: onnx.ModelProto) -> "Outline":
        """The outline of a network, which gives its weights up: `model` cannot be run any more."""
        size = model.ByteSize()
        _drop_weights(model)
        return cls(model, size)

    def work(self, image: Shape) -> Work:
        """What the network takes for an image of this shape.

        Raises BackboneError where that cannot be told, or is more than any inspection takes.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        peak, multiplications, shapes = _work(model, self.size, [image])
        if peak > MOST_BYTES or multiplications > MOST_MULTIPLICATIONS:
            raise BackboneError(f"One image would take {peak / 1e9:.1f} GB and {multiplications:.1g} multiplications.")
        return Work({output.name: shapes[output.name] for output in model.graph.output}, peak, multiplications)


def work_of(model: onnx.ModelProto, image: Shape) -> Work:
    """What a network takes for an image of this shape, as `Outline.work` tells it."""
    return Outline.of(model).work(image)


def _work(model: onnx.ModelProto, size: int, inputs: Sequence[Shape]) -> tuple[int, float, Mapping[str, Shape]]:
    """Bytes at the peak, multiplications and the shapes of all tensors, for inputs of these shapes.

    `model` has no data of large weights; with them it is of `size` bytes.
    """
    nodes = model.graph.node
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    known = _known_numbers(model)
    _forget_claims(model)
    for value, shape in zip(model.graph.input, inputs, strict=True):
        del value.type.tensor_type.shape.dim[:]
        for side in shape:
            value.type.tensor_type.shape.dim.add().dim_value = side
    shapes = weights | _inferred(model, known)
    for node in nodes:
        for name in filter(None, node.output):
            if name not in shapes:
                raise BackboneError(f"The size of what the operator {node.op_type} makes cannot be told ({name!r}).")
    folded = sum(map(_bytes, _folded(model, shapes)))
    if folded > FOLDED + 2 * size:
        raise BackboneError(f"Its weights alone would become {folded / 1e9:.1f} GB before any image is seen.")
    peak, multiplications = _peak(model, shapes), sum(_multiplications(node, shapes) for node in nodes)
    for node in nodes:
        if node.op_type == "Scan":
            inner_peak, inner_multiplications = _scanned(model, node, shapes)
            peak, multiplications = peak + inner_peak, multiplications + inner_multiplications
    return peak, multiplications, shapes


def _scanned(model: onnx.ModelProto, node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> tuple[int, float]:
    """Bytes at the peak, and multiplications, of going through the rows of a Scan's inputs."""
    body = next(attribute.g for attribute in node.attribute if attribute.name == "body")
    scanned = next(attribute.i for attribute in node.attribute if attribute.name == "num_scan_inputs")
    given = [shapes[name] for name in node.input]
    states, rows = given[: len(given) - scanned], given[len(given) - scanned :]
    if not rows or not all(rows) or len(given) != len(body.input):
        raise BackboneError("The network holds an operator Scan whose inputs do not fit its body.")
    inner = onnx.helper.make_model(body, opset_imports=model.opset_import, ir_version=model.ir_version)
    made = {value.name for value in body.input} | {name for each in body.node for name in each.output}
    read = {name for each in body.node for name in each.input if name} - made
    weights = [tensor for tensor in model.graph.initializer if tensor.name in read]
    inner.graph.initializer.extend(weights)
    # What else it reads was made around it; like all that networks of images make, it is taken for float32.
    around = sorted((read - {tensor.name for tensor in (*weights, *body.initializer)}) & shapes.keys())
    for name in around:
        inner.graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shapes[name]))
    given = [*states, *(shape[1:] for shape in rows), *(shapes[name] for name in around)]
    size = inner.ByteSize()
    _drop_weights(inner)
    peak, multiplications, _ = _work(inner, size, given)
    return peak, multiplications * rows[0][0]


def _forget_claims(model: onnx.ModelProto) -> None:
    """Shapes that the network states of its own tensors are not believed."""
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")


def _drop_weights(model: onnx.ModelProto) -> None:
    """Drop the data of all large weights."""
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) > FEW:
            for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
                tensor.ClearField(field)


def _known_numbers(model: onnx.ModelProto) -> dict[str, Array]:
    """Weights that are a few whole numbers, by name."""
    whole = (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
    return {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if math.prod(tensor.dims) <= FEW and tensor.data_type in whole
    }


def _inferred(model: onnx.ModelProto, known: dict[str, Array]) -> dict[str, Shape]:
    """The shapes that can be told."""
    for _ in range(ROUNDS):
        try:
            inferred = onnx.shape_inference.infer_shapes(model, data_prop=True, strict_mode=True)
        except Exception as error:  # of several kinds
            lines = str(error).strip().splitlines()
            raise BackboneError(f"Its shapes do not fit together ({lines[0] if lines else error}).") from None
        shapes = dict(_shapes(inferred.graph))
        if all(name in shapes for node in model.graph.node for name in node.output if name):
            break
        if not _compute(model, shapes, known):
            break
    return shapes


def _shapes(graph: onnx.GraphProto) -> Iterator[tuple[str, Shape]]:
    for value in (*graph.input, *graph.value_info, *graph.output):
        sides = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(side.HasField("dim_value") for side in sides):
            yield value.name, tuple(side.dim_value for side in sides)


def _compute(model: onnx.ModelProto, shapes: Mapping[str, Shape], known: dict[str, Array]) -> bool:
    """Put numbers that follow from shapes, as weights, in the place of what computes them; whether there were any."""
    kept, found = [], False
    for node in model.graph.node:
        value = _value(node, shapes, known)
        if value is None:
            kept.append(node)
            continue
        known[node.output[0]], found = value, True
        model.graph.initializer.append(onnx.numpy_helper.from_array(value, node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return found


def _value(node: onnx.NodeProto, shapes: Mapping[str, Shape], known: Mapping[str, Array]) -> Array | None:
    """What a node answers, where that is a few whole numbers that can be told."""
    if node.op_type == "Shape" and node.input[0] in shapes:
        bounds = {attribute.name: attribute.i for attribute in node.attribute}
        return np.array(shapes[node.input[0]][bounds.get("start", 0) : bounds.get("end")], np.int64)
    if node.op_type == "Constant" and node.attribute[0].type == onnx.AttributeProto.TENSOR:
        tensor = node.attribute[0].t
        whole = tensor.data_type == onnx.TensorProto.INT64 and math.prod(tensor.dims) <= FEW
        return onnx.numpy_helper.to_array(tensor) if whole else None
    if node.op_type not in COMPUTED or not all(name in known for name in node.input):
        return None
    values = [known[name] for name in node.input]
    if node.op_type == "Range" and _length(*values) > FEW:
        raise BackboneError(f"The operator Range would make {_length(*values):,} numbers.")
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(COMPUTED[node.op_type](values, axis), np.int64)
    except (ValueError, IndexError, TypeError, OverflowError):  # left to the runtime, which refuses it
        return None
    return value if value.size <= FEW else None


def _length(start: Array, limit: Array, step: Array) -> int:
    return max(0, math.ceil((int(limit) - int(start)) / int(step))) if int(step) else FEW + 1


def _folded(model: onnx.ModelProto, shapes: Mapping[str, Shape]) -> Iterator[Shape]:
    """The shapes of all that follows from weights alone."""
    constants = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        if all(name in constants for name in node.input if name):
            for name in filter(None, node.output):
                constants.add(name)
                yield shapes[name]


def _peak(model: onnx.ModelProto, shapes: Mapping[str, Shape]) -> int:
    """The most bytes at once, where each tensor goes after its last use."""
    last = {name: number for number, node in enumerate(model.graph.node) for name in node.input}
    weights = {tensor.name for tensor in model.graph.initializer}
    held = most = 0
    for number, node in enumerate(model.graph.node):
        held += sum(_bytes(shapes[name]) for name in node.output if name)
        most = max(most, held)
        gone = {name for name in (*node.input, *node.output) if name and last.get(name, number) == number}
        held -= sum(_bytes(shapes[name]) for name in gone - weights if name in shapes)
    return most


def _multiplications(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> float:
    """About as many as a node takes."""
    made = sum(math.prod(shapes[name]) for name in node.output if name)
    taken = [shapes.get(name, ()) for name in node.input]
    if node.op_type == "Conv":
        return made * math.prod(taken[1][1:])
    if node.op_type == "ConvTranspose":
        return math.prod(taken[0]) * math.prod(taken[1][1:])
    if node.op_type in ("MatMul", "Gemm"):
        return made * max(taken[0], default=1)
    if node.op_type == "Einsum":
        return made * max((side for shape in taken for side in shape), default=1)
    windows = [math.prod(each.ints) for each in node.attribute if each.name == "kernel_shape"]
    return made * max(windows, default=1) + sum(map(math.prod, taken))


def _bytes(shape: Shape) -> int:
    return ITEM * math.prod(shape)
