"""An export as OpenVINO's own files (IR): a .xml with the graph and its document, a .bin with the weights.

A JSON file beside them holds the SHA-256 of both, and the document again, for people.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

from blemish.errors import ModelFileError, OptionError
from blemish.export.writing import BESIDE, document_text, json_beside, write_beside
from blemish.system.outputs import Kind, Outputs

__all__ = ["claim_ir", "read_ir", "write_ir"]


def claim_ir(path: Path, inputs: Iterable[Path], *, force: bool = False) -> None:
    """Refuse a name that is not .xml, and to write over what is no IR of ours. Raises OptionError, DataError."""
    if path.suffix.lower() != ".xml":
        raise OptionError(f"Option output={path} cannot be used: an IR is a file named .xml, with a .bin beside it.")
    outputs = Outputs(inputs, force=force)
    ours = Kind("an export", lambda _: json_beside(path).is_file())
    for each in (path, path.with_suffix(".bin")):
        outputs.claim(each, ours)
    outputs.claim(json_beside(path), BESIDE)


def write_ir(path: Path, content: bytes) -> int:
    """Write an export (the bytes of its ONNX file) as an IR; returns the bytes of both files. Raises ModelFileError."""
    import openvino

    model = openvino.Core().read_model(content, b"")
    model.set_rt_info(document_text(content), "blemish")
    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(model, str(Path(folder, "part.xml")), compress_to_fp16=False)
        network, weights = (Path(folder, name).read_bytes() for name in ("part.xml", "part.bin"))
    hashes = {"file": path.name, "sha256": _digest(network), "weights_sha256": _digest(weights)}
    write_beside({path: network, path.with_suffix(".bin"): weights}, {"openvino": hashes}, content)
    return len(network) + len(weights)


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
