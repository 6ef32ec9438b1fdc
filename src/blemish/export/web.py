"""Write a folder that any static server serves: a page that judges pictures in the browser, without a network."""

import shutil
from importlib.resources import files
from pathlib import Path

from blemish.errors import DataError, OptionError
from blemish.export.writing import write_export

__all__ = ["RUNTIME", "check_web", "write_web"]

RUNTIME = Path("node_modules/onnxruntime-web/dist")
"""Where npm install onnxruntime-web puts the runtime."""
WANTED = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""Of its files, those that the page loads: for processors, without WebGPU."""
PAGE = ("index.html", "page.css", "page.js", "reader.js")


def check_web(folder: Path, runtime: Path, *, force: bool = False) -> None:
    """Refuse a folder that holds something else, and a missing runtime. Raises DataError, OptionError."""
    missing = [name for name in WANTED if not (runtime / name).is_file()]
    if missing:
        raise OptionError(
            f"{runtime / missing[0]} is not there; run npm install onnxruntime-web, or give its dist (--runtime)."
        )
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file; name a folder.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "model.onnx").is_file() and not force:
        raise DataError(
            f"{folder} is there already and no page of an export; name a new folder, or repeat with --force."
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
