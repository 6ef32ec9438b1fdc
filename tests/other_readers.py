"""The readers of exports that are no Python: the C++ program, compiled and run, and the page in Chromium."""

import functools
import http.server
import json
import os
import queue
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from chromium import CHROMIUM, HEADLESS

from blemish.arrays import Floats
from blemish.export.seal import SEAL, sealed

__all__ = ["LIBRARY", "READERS", "RUNTIME", "CppReader", "newer", "page_says", "read_pfm", "run", "unsealed"]

READERS = Path(__file__).parent.parent / "examples" / "readers"
LIBRARY = next(iter(sorted(Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.so.*"))), None)
"""ONNX Runtime for programs in C; wheels for Linux hold it."""
RUNTIME = os.environ.get("BLEMISH_ORT_WEB", "")
"""The folder dist of the npm package onnxruntime-web."""


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program, and what it said."""
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)


def newer(export: Path, folder: Path) -> Path:
    """The export as a later version of the format would say it."""
    graph = onnx.load_from_string(unsealed(export))
    document = json.loads(graph.metadata_props[0].value)
    graph.metadata_props[0].value = json.dumps(document | {"format": 99}, separators=(",", ":"))
    path = folder / "newer.onnx"
    path.write_bytes(sealed(graph.SerializeToString()))
    return path


def unsealed(export: Path) -> bytes:
    """All but the seal."""
    return export.read_bytes()[: -len(SEAL) - 64]


class CppReader:
    """examples/readers/reader.cpp, compiled in `folder`."""

    def __init__(self, folder: Path, optimise: str = "-O1") -> None:
        assert LIBRARY is not None, "callers skip where there is no library"
        # The library is linked by the name that it is looked for by.
        library = folder / "libonnxruntime.so.1"
        library.symlink_to(LIBRARY)
        self.program = folder / "reader"
        words: list[str | Path] = ["g++", optimise, "-std=c++17", "-Wall", "-Werror", READERS / "reader.cpp", library]
        words += ["-o", self.program]
        built = run(*words)
        assert built.returncode == 0, built.stderr
        self._environment = os.environ | {"LD_LIBRARY_PATH": str(folder)}

    def __call__(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run it."""
        command = [self.program, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, env=self._environment)


def read_pfm(path: Path) -> Floats:
    """A map (H x W) that it wrote."""
    kind, size, order, pixels = path.read_bytes().split(b"\n", 3)
    assert (kind, order) == (b"Pf", b"-1.0")
    width, height = map(int, size.split())
    return np.frombuffer(pixels, "<f4").reshape(height, width)[::-1]


class _Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }
    answers: "queue.Queue[dict[str, Any]]"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
        if self.path == "/result":
            self.answers.put(json.loads(body))
        else:
            Path(self.directory, self.path[1:]).write_bytes(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def page_says(
    folder: Path, page: str, names: Sequence[str], profile: Path, timeout: float = 180
) -> tuple[dict[str, Any], str]:
    """Open `page` over a folder in Chromium, with names behind #: what it posts to /result, and where it came from.

    Whatever else it posts is written into the folder.
    """
    answers: queue.Queue[dict[str, Any]] = queue.Queue()
    handler = type("Handler", (_Handler,), {"answers": answers})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        own = f"http://127.0.0.1:{server.server_port}/"
        words = [str(CHROMIUM), *HEADLESS, f"--user-data-dir={profile}", f"{own}{page}#{','.join(names)}"]
        browser = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return answers.get(timeout=timeout), own
        finally:
            browser.terminate()
            browser.wait(30)
            server.shutdown()
