"""Write an export to disk: the ONNX file, and beside it what it says of itself as a file of its own."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import onnx

from blemish.errors import ModelFileError, OptionError
from blemish.export.seal import unbroken
from blemish.system.address import Place
from blemish.system.outputs import Kind, Outputs, begins
from blemish.system.whole_file import write_whole

__all__ = ["BESIDE", "EXPORT", "claim_export", "document_text", "json_beside", "write_beside", "write_export"]

BESIDE = begins("a file beside an export", '{"onnx":', '{\n  "onnx":', '{\n  "openvino":')
EXPORT = Kind("an export", lambda path: unbroken(path.read_bytes()) is not None)
"""What a command may write an export over."""


def json_beside(path: Path) -> Path:
    """Where the document of an export lies."""
    return path.with_name(path.name + ".json")


def claim_export(path: Path, inputs: Iterable[Place], *, force: bool = False) -> None:
    """Refuse a name that is not .onnx, and to write over what is no export. Raises OptionError, DataError."""
    if path.suffix.lower() != ".onnx":
        raise OptionError(f"Option output={path} cannot be used: an export is a file named .onnx.")
    outputs = Outputs(inputs, force=force)
    outputs.claim(path, EXPORT)
    outputs.claim(json_beside(path), BESIDE)


def document_text(content: bytes) -> str:
    """What an ONNX file says of itself, as JSON."""
    properties = {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}
    return str(properties["blemish"])


def write_export(path: Path, content: bytes) -> None:
    """Write the file whole, then the JSON beside it. Raises ModelFileError."""
    about = {"onnx": {"file": path.name, "sha256": hashlib.sha256(content).hexdigest()}}
    write_beside({path: content}, about, content)


def write_beside(files: Mapping[Path, bytes], about: Mapping[str, Any], content: bytes) -> None:
    """Write the files of an export whole, then the JSON beside the first: `about` them, and the document in `content`.

    Raises ModelFileError.
    """
    path = next(iter(files))
    named = {**about, **json.loads(document_text(content))}
    beside = json.dumps(named, ensure_ascii=False, indent=2).encode() + b"\n"
    try:
        for each, data in {**files, json_beside(path): beside}.items():
            write_whole(each.resolve(), data)
    except OSError as error:
        raise ModelFileError(f"{path} could not be written: {error.strerror or error}.") from None
