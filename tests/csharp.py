"""The C# reader, compiled by Mono's compiler and run by Mono against ONNX Runtime's library of the wheel.

ONNX Runtime's own C# sources lie in the npm package com.github.asus4.onnxruntime (folder Runtime; 0.4.9 is of 1.29.0).
Debian's compiler is of C# 7, and they are of C# 8: the edits below write the same in older words. A folder that holds
the compiled Microsoft.ML.OnnxRuntime.dll does as well.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from other_readers import LIBRARY, READERS

__all__ = ["CsReader", "missing"]

SOURCES = os.environ.get("BLEMISH_ORT_CS", "")
"""ONNX Runtime for C#: its sources, or its assembly."""
ASSEMBLY = "Microsoft.ML.OnnxRuntime.dll"
COMPILER = ["mcs", "-langversion:experimental", "-unsafe"]
EDITS = [
    (r"static (\w+) =>", r"\1 =>"),
    (r"using var ", "var "),
    (r"DisposableList<OrtValue> (\w+) = new\(", r"var \1 = new DisposableList<OrtValue>("),
    (r"([:,]) unmanaged\b", r"\1 struct"),
    (r"(\w+)\.Span\[(\w+)\] = ([^;]+);", r"{ var span = \1.Span; span[\2] = \3; }"),
    (r"dimensions\[0\] = dimensions\[1\] = (\w+);", r"dimensions[0] = \1; dimensions[1] = \1;"),
    (r"(var|Span<int>) (\w+) = (\w+ < [\w.]+ \? )?stackalloc int\[(\w+)\][^;]*;", r"Span<int> \2 = new int[\4];"),
    (r"if \(([\w.]+) is not (\w+)\)", r"if (!(\1 is \2))"),
    (r" is null", " == null"),
]
"""What the compiler does not know, as patterns, and what to write instead."""


def missing() -> str:
    """What the reader cannot be run without, or nothing."""
    if not (shutil.which("mcs") and shutil.which("mono")):
        return "needs mono-mcs and mono-runtime"
    return "" if SOURCES and LIBRARY else "needs ONNX Runtime for C# (BLEMISH_ORT_CS) and the library of its wheel"


class CsReader:
    """examples/readers/Reader.cs with tests/judge_sized.cs around it, compiled in `folder`."""

    def __init__(self, folder: Path) -> None:
        assert LIBRARY is not None, "callers skip where it is missing"
        self._folder = folder
        (folder / "libonnxruntime.so").symlink_to(LIBRARY)
        if (Path(SOURCES) / ASSEMBLY).is_file():
            shutil.copy(Path(SOURCES) / ASSEMBLY, folder)
        else:
            _compile_runtime(folder)
        sources = READERS / "Reader.cs", Path(__file__).with_name("judge_sized.cs")
        libraries = (ASSEMBLY, "System.Runtime.Serialization.dll", "System.Xml.dll", "System.Xml.Linq.dll")
        words = ["mcs", "-langversion:7.2", "-warnaserror", *(f"-r:{each}" for each in libraries), "-out:judge.exe"]
        _run([*words, *map(str, sources)], folder)

    def __call__(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run it."""
        command = ["mono", self._folder / "judge.exe", *words]
        environment = os.environ | {"LD_LIBRARY_PATH": str(self._folder)}
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)


def _compile_runtime(folder: Path) -> None:
    sources = []
    for number, path in enumerate(sorted(Path(SOURCES).rglob("*.cs"))):
        if "Training" in path.parts:
            continue
        text = path.read_text(encoding="utf-8-sig")
        for pattern, instead in EDITS:
            text = re.sub(pattern, instead, text)
        sources.append(f"{number}.cs")
        (folder / sources[-1]).write_text(text, encoding="utf-8")
    _run([*COMPILER, "-nowarn:0612,0618", "-d:NETSTANDARD2_0", "-target:library", f"-out:{ASSEMBLY}", *sources], folder)


def _run(words: list[str], folder: Path) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
