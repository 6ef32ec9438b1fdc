"""An export as OpenVINO's own files (IR): a .xml with the graph and its document, a .bin with the weights.

A JSON file beside them holds the SHA-256 of both, and the document again, for people.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx

from blemish.errors import ModelFileError, OptionError
from blemish.export.operators import BAND
from blemish.export.shorter import drop_repeated, short_text
from blemish.export.writing import BESIDE, document_text, json_beside, write_beside
from blemish.system.address import Place
from blemish.system.outputs import Kind, Outputs, begins

__all__ = ["claim_ir", "read_ir", "write_ir"]

LARGE = 4096
"""Bytes of a constant from which on it stays as it is."""

NETWORK = begins("the network of an IR", '<?xml version="1.0"?><net name="blemish"')


def claim_ir(path: Path, inputs: Iterable[Place], *, force: bool = False) -> None:
    """Refuse a name that is not .xml, and to write over what is no IR of ours. Raises OptionError, DataError."""
    if path.suffix.lower() != ".xml":
        raise OptionError(f"Option output={path} cannot be used: an IR is a file named .xml, with a .bin beside it.")
    outputs = Outputs(inputs, force=force)
    ours = Kind("an export", lambda _: json_beside(path).is_file() and (not path.exists() or NETWORK.holds(path)))
    for each in (path, path.with_suffix(".bin")):
        outputs.claim(each, ours)
    outputs.claim(json_beside(path), BESIDE)


def write_ir(path: Path, content: bytes) -> int:
    """Write an export (the bytes of its ONNX file) as an IR; returns the bytes of both files. Raises ModelFileError."""
    import openvino

    model = _folded(content)
    drop_repeated(model)
    model.set_rt_info(document_text(content), "blemish")
    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(model, str(Path(folder, "part.xml")), compress_to_fp16=False)
        network, weights = (Path(folder, name).read_bytes() for name in ("part.xml", "part.bin"))
    network = short_text(network)
    hashes = {"file": path.name, "sha256": _digest(network), "weights_sha256": _digest(weights)}
    write_beside({path: network, path.with_suffix(".bin"): weights}, {"openvino": hashes}, content)
    return len(network) + len(weights)


def _folded(content: bytes) -> Any:
    """The graph in OpenVINO, with what is constant computed: half of its operators ask for shapes that are known.

    Large constants, and those that become large, are inputs meanwhile. Else what follows from them alone would be
    computed too, and the bank would be in the file in every form that the search reads it in.
    """
    import openvino
    from openvino.passes import ConstantFolding, Manager

    whole, open_ended = openvino.Core().read_model(content, b""), onnx.load_from_string(content)
    graph = open_ended.graph
    del open_ended.metadata_props[:]  # they would be in the file beside the document
    large = {each.name: each for each in graph.initializer if each.ByteSize() >= LARGE or each.name.startswith(BAND)}
    for name, constant in large.items():
        graph.initializer.remove(constant)
        graph.input.append(onnx.helper.make_tensor_value_info(name, constant.data_type, constant.dims))
    model = openvino.Core().read_model(open_ended.SerializeToString(), b"")
    manager = Manager()
    manager.register_pass(ConstantFolding())
    manager.run_passes(model)
    constants = {each.get_friendly_name(): each for each in whole.get_ops() if each.get_type_name() == "Constant"}
    for each in model.get_parameters():
        if each.get_friendly_name() in large:
            each.output(0).replace(constants[each.get_friendly_name()].output(0))
            model.remove_parameter(each)
    model.validate_nodes_and_infer_types()
    return model


def read_ir(path: Path) -> tuple[bytes, bytes]:
    """The two files of an IR. Raises ModelFileError for one that is missing, not ours, or was changed."""
    try:
        network, weights = path.read_bytes(), path.with_suffix(".bin").read_bytes()
        hashes = json.loads(json_beside(path).read_text(encoding="utf-8"))["openvino"]
        known = hashes["sha256"], hashes["weights_sha256"]
    except OSError as error:
        raise ModelFileError(f"{error.filename} cannot be read ({error.strerror or error}).") from None
    except (ValueError, KeyError, TypeError):
        raise ModelFileError(f"{json_beside(path)} is not that of an export; make one with blemish export.") from None
    if known != (_digest(network), _digest(weights)):
        raise ModelFileError(f"{path} was changed after it was exported (its SHA-256 differs); export it again.")
    return network, weights


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
