"""An IR in fewer bytes: what it says twice, or what follows from the rest, is left out. Every answer stays as it is."""

import re
from typing import Any

import numpy as np

from blemish.export.operators import PREFIX

__all__ = ["drop_repeated", "short_text"]

WORTHWHILE = 64
"""Numbers of a constant from which on an operator that makes them takes fewer bytes."""

USUAL = (
    b' auto_broadcast="numpy"',
    b' auto_pad="explicit"',
    b' batch_dims="0"',
    b' rounding_type="floor"',
    b' transpose_a="false"',
    b' transpose_b="false"',
)
"""What operators do unless told otherwise."""


def drop_repeated(model: Any) -> None:
    """Keep equal constants once, count instead of listing 0, 1, 2, ..., and drop what only passes a value on."""
    kept: dict[tuple[str, str, bytes], Any] = {}
    answers = [(result, output.get_names()) for result, output in zip(model.get_results(), model.outputs, strict=True)]
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Constant":
            key = str(node.get_element_type()), str(node.get_output_shape(0)), np.asarray(node.data).tobytes()
            _replace(node, kept.setdefault(key, _counted(node) or node))
        elif node.get_type_name() == "Identity":
            node.output(0).replace(node.input_value(0))
        elif node.get_type_name() != "Parameter":
            node.set_friendly_name(node.get_friendly_name().removeprefix(PREFIX))
            for output in node.outputs():
                output.get_tensor().set_names(set())
    for number, constant in enumerate(kept.values()):
        constant.output(0).get_tensor().set_names(set())
        constant.set_friendly_name(f"c{number}")
    for result, names in answers:
        result.input_value(0).get_tensor().add_names(names)
    model.validate_nodes_and_infer_types()


def _replace(node: Any, other: Any) -> None:
    if other is not node:
        node.output(0).replace(other.output(0))


def _counted(node: Any) -> Any:
    """The operator that counts what a constant lists; None where it does not rise evenly, or is small."""
    import openvino.opset13 as operators

    values = np.asarray(node.data)
    if values.ndim != 1 or len(values) < WORTHWHILE or values.dtype.kind != "i":
        return None
    step = values[1] - values[0]
    if step == 0 or (np.diff(values) != step).any():
        return None
    ends = (operators.constant(np.array(each, values.dtype)) for each in (values[0], values[-1] + step, step))
    return operators.range(*ends, output_type=node.get_element_type().get_type_name())


def short_text(network: bytes) -> bytes:
    """The .xml without indentation, shapes (they follow from those of inputs and constants) and escaped quotes."""
    text = re.sub(rb">\s+<", b"><", network)
    for long, short in ((b'" />', b'"/>'), *((attribute, b"") for attribute in USUAL)):
        text = text.replace(long, short)
    text = re.sub(rb"<input>.*?</input>", _short_inputs, text)
    text = re.sub(rb"<dim>-?[0-9]+</dim>", b"", text)
    text = re.sub(rb"(<port [^>]*[^/>])></port>", rb"\1/>", text)
    return re.sub(rb'"([^"]*&quot;[^"]*)"', _in_single_quotes, text)


def _short_inputs(found: re.Match[bytes]) -> bytes:
    return re.sub(rb'<port id="(\d+)"[^>]*?(?:/>|>.*?</port>)', rb'<port id="\1"/>', found[0])


def _in_single_quotes(found: re.Match[bytes]) -> bytes:
    return b"'" + found[1].replace(b"'", b"&#39;").replace(b"&quot;", b'"') + b"'"
