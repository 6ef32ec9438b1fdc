"""Write a folder that any static server serves: a page that judges pictures in the browser, without a network."""

import shutil
from importlib.resources import files
from pathlib import Path

from blemish.errors import DataError, OptionError
from blemish.export.document import Document
from blemish.export.writing import EXPORT, document_text, write_export
from blemish.system.outputs import begins

__all__ = ["RUNTIME", "check_judgeable", "check_web", "write_web"]

RUNTIME = Path("node_modules/onnxruntime-web/dist")
"""Where npm install onnxruntime-web puts the runtime."""
WANTED = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""Of its files, those that the page loads: for processors, without WebGPU."""
PAGE = ("index.html", "page.css", "page.js", "reader.js", "file.js")
READER = begins("the reader of a page", "// Judges pictures by an export of blemish")


def check_web(folder: Path, runtime: Path, *, force: bool = False) -> None:
    """Refuse a folder that holds something else, and a missing runtime. Raises DataError, OptionError."""
    missing = [name for name in WANTED if not (runtime / name).is_file()]
    if missing:
        raise OptionError(
            f"{runtime / missing[0]} is not there; run npm install onnxruntime-web, or give its dist (--runtime)."
        )
    for each in (folder, *folder.parents):
        if each.exists() and not each.is_dir():
            raise DataError(f"{each} is a file; name a folder.")
    if folder.is_dir() and any(folder.iterdir()) and not _is_page(folder) and not force:
        raise DataError(
            f"{folder} is there already and no page of an export; name a new folder, or repeat with --force."
        )


def _is_page(folder: Path) -> bool:
    """Whether a page was written there: other pages have a model.onnx and an index.html, too."""
    model, reader = folder / "model.onnx", folder / "reader.js"
    return model.is_file() and reader.is_file() and EXPORT.holds(model) and READER.holds(reader)


def check_judgeable(content: bytes) -> None:
    """Refuse an export (the bytes of its ONNX file) that the page cannot judge by. Raises OptionError."""
    document = Document.model_validate_json(document_text(content))
    how = document.input
    if how.pixels != "uint8" or document.places or how.resize == "crop" or document.only_cells is not None:
        raise OptionError(
            "A page cannot judge by this model: it is for 8-bit pictures, without areas or a crop, and not for PaDiM. "
            "Export it without --to web, and read docs/export.md for the other readers."
        )


def write_web(folder: Path, runtime: Path, content: bytes) -> int:
    """Write page, runtime and export into a folder; returns the bytes of all. Raises ModelFileError, OSError."""
    (folder / "ort").mkdir(parents=True, exist_ok=True)
    for name in PAGE:
        (folder / name).write_bytes(files("blemish.export").joinpath("page", name).read_bytes())
    for name in WANTED:
        shutil.copyfile(runtime / name, folder / "ort" / name)
    write_export(folder / "model.onnx", content)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
