"""Which networks are let in: pure arithmetic on one image, of operators that are listed here, and nothing hidden.

A network comes with somebody's model or backbone. What it may do is a list, not all that a runtime can: no loops and
no branches, nothing that reads a file or draws numbers. How large its tensors become, shapes.py tells.
"""

import math
from collections.abc import Iterator

import onnx
from onnx import AttributeProto, TensorProto

from blemish.errors import BackboneError

__all__ = ["OPERATORS", "check_allowed"]

STANDARD_DOMAINS = ("", "ai.onnx")
_LAYERS = (
    "Conv ConvTranspose Gemm MatMul Einsum MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool GlobalLpPool "
    "BatchNormalization InstanceNormalization LayerNormalization GroupNormalization RMSNormalization LRN "
    "LpNormalization MeanVarianceNormalization Dropout"
)
_ACTIVATIONS = (
    "Relu LeakyRelu PRelu Clip Sigmoid HardSigmoid HardSwish Swish Tanh Elu Celu Selu Softplus Softsign Gelu Mish "
    "ThresholdedRelu Softmax LogSoftmax Hardmax Erf"
)
_ARITHMETIC = (
    "Add Sub Mul Div Mod Pow Sqrt Exp Log Abs Neg Reciprocal Sign Floor Ceil Round Min Max Sum Mean Sin Cos Tan Asin "
    "Acos Atan Sinh Cosh Asinh Acosh Atanh CumSum Equal Greater GreaterOrEqual Less LessOrEqual And Or Not Xor Where "
    "IsNaN IsInf ArgMax ArgMin TopK ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 "
    "ReduceSumSquare ReduceLogSum ReduceLogSumExp"
)
_PLACES = (
    "Identity Cast CastLike Reshape Flatten Transpose Squeeze Unsqueeze Concat Split Slice Gather GatherElements "
    "GatherND ScatterElements ScatterND Pad Expand Tile Resize Upsample DepthToSpace SpaceToDepth Trilu GridSample "
    "AffineGrid Shape Size Range Constant"
)
OPERATORS = frozenset(" ".join((_LAYERS, _ACTIVATIONS, _ARITHMETIC, _PLACES)).split())
"""What networks of convolutions and of attention need; from our own graphs and from exports of timm's networks."""
ATTRIBUTES = frozenset(
    (
        AttributeProto.FLOAT,
        AttributeProto.INT,
        AttributeProto.STRING,
        AttributeProto.TENSOR,
        AttributeProto.FLOATS,
        AttributeProto.INTS,
        AttributeProto.STRINGS,
    )
)
"""Kinds of attributes: no graphs, no sparse tensors, no types."""

_NUMBERS = "FLOAT FLOAT16 BFLOAT16 DOUBLE INT8 INT16 INT32 INT64 UINT8 UINT16 UINT32 UINT64 BOOL"
NUMBERS = frozenset(TensorProto.DataType.Value(name) for name in _NUMBERS.split())
"""Types of weights."""


def check_allowed(model: onnx.ModelProto) -> None:
    """Raise BackboneError, naming it, for whatever a network holds beside listed operators and its own weights."""
    if model.functions:
        name = model.functions[0].name
        raise BackboneError(f"The network brings a function {name} of its own; export it with all functions inlined.")
    graph = model.graph
    if graph.sparse_initializer or model.training_info:
        raise BackboneError("The network holds sparse weights or training steps; export it for inference, dense.")
    _check_graph(graph)


def _check_graph(graph: onnx.GraphProto, *, inner: bool = False) -> None:
    for node in graph.node:
        if node.op_type == "Scan" and node.domain in STANDARD_DOMAINS and not inner:
            _check_scan(node)
        else:
            _check_node(node)
    for tensor in _tensors(graph):
        _check_tensor(tensor)


def _check_scan(node: onnx.NodeProto) -> None:
    """A Scan goes once through the rows of a tensor, which bounds it; DifferNet looks at turned images with it."""
    names = sorted(attribute.name for attribute in node.attribute)
    bodies = [attribute.g for attribute in node.attribute if attribute.name == "body" and attribute.HasField("g")]
    if names != ["body", "num_scan_inputs"] or len(bodies) != 1 or bodies[0].sparse_initializer:
        raise BackboneError("The network holds an operator Scan that does not simply go through the rows of a tensor.")
    _check_graph(bodies[0], inner=True)


def _check_node(node: onnx.NodeProto) -> None:
    if node.domain not in STANDARD_DOMAINS:
        raise BackboneError(
            f"The network uses the operator {node.op_type} of the domain {node.domain!r}; only operators of "
            "the ONNX standard are allowed. Export the network without custom operators."
        )
    if node.op_type not in OPERATORS:
        raise BackboneError(
            f"The network uses the operator {node.op_type}, which is not among those that blemish runs "
            "(no loops, branches, random numbers or files). Export it as plain layers."
        )
    for attribute in node.attribute:
        if attribute.type not in ATTRIBUTES or _hides(attribute):
            kind = AttributeProto.AttributeType.Name(attribute.type).lower()
            raise BackboneError(
                f"The attribute {attribute.name} of an operator {node.op_type} holds more than numbers and words "
                f"(kind {kind}), which no plain layer has. Export the network as plain layers."
            )


def _hides(attribute: AttributeProto) -> bool:
    """Whether it holds graphs, sparse tensors or types, whatever kind it says it is of."""
    return bool(
        attribute.ref_attr_name
        or any(attribute.HasField(field) for field in ("g", "sparse_tensor", "tp"))
        or (attribute.HasField("t") and attribute.type != AttributeProto.TENSOR)
        or any((attribute.graphs, attribute.tensors, attribute.sparse_tensors, attribute.type_protos))
    )


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                yield attribute.t


def _check_tensor(tensor: TensorProto) -> None:
    if tensor.external_data or tensor.data_location == TensorProto.EXTERNAL:
        raise BackboneError(
            "The network keeps weights in other files (external data); save it as one file, "
            "with onnx.save(onnx.load(path), path, save_as_external_data=False)."
        )
    if tensor.data_type not in NUMBERS or any(side < 0 for side in tensor.dims):
        raise BackboneError(f"The weight {tensor.name!r} holds no numbers of a plain type, or its shape is negative.")
    wanted = math.prod(tensor.dims)
    if tensor.HasField("raw_data"):
        there = len(tensor.raw_data) // onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    else:
        there = sum(len(numbers) for numbers in (tensor.float_data, tensor.int32_data, tensor.int64_data))
        there += len(tensor.double_data) + len(tensor.uint64_data)
    if there != wanted:
        raise BackboneError(f"The weight {tensor.name!r} holds {there:,} numbers, and its shape says {wanted:,}.")
