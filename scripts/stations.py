"""How many files of src/blemish one inspection passes, and how long the functions are.

python scripts/stations.py [--list]

A detector with default settings inspects an image file; the third time is traced, when nothing is prepared any more.
A file is passed where a function of it runs. It is a station where it does something: where a function runs that has
more than one statement beside its docstring. What has one statement hands a value on, or names one term.
A function is as long as its lines from `def` to the last, those of its docstring left out.
"""

import argparse
import ast
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import cv2
import numpy as np

import blemish
from blemish.arrays import Bytes

__all__ = ["Function", "Way", "functions", "traced_inspection"]

SOURCE = Path(blemish.__file__).parent


@dataclass(frozen=True)
class Function:
    """A function as it is written."""

    file: str
    """Its path in src/blemish."""
    name: str
    line: int
    lines: int
    statements: int
    """Docstring and nested functions left out."""


@dataclass
class Way:
    """What ran in one inspection: calls of functions of src/blemish, by file and line."""

    calls: list[tuple[str, int]] = field(default_factory=list)

    def profile(self, frame: FrameType, event: str, argument: object) -> None:
        """What sys.setprofile calls."""
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(SOURCE)) and not code.co_name.startswith("<"):
            self.calls.append((str(Path(code.co_filename).relative_to(SOURCE)), code.co_firstlineno))

    @property
    def ran(self) -> list[Function]:
        """Each function that ran, by file and line."""
        known = {(function.file, function.line): function for function in functions()}
        return [known[call] for call in sorted(set(self.calls))]

    @property
    def files(self) -> list[str]:
        """The files passed."""
        return sorted({file for file, _ in self.calls})

    @property
    def stations(self) -> list[str]:
        """The files that did something."""
        return sorted({function.file for function in self.ran if function.statements > 1})


def functions() -> Iterator[Function]:
    """Every function of src/blemish."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                lines = _height(node) - (_height(node.body[0]) if ast.get_docstring(node) else 0)
                yield Function(str(path.relative_to(SOURCE)), node.name, first, lines, _statements(node))


def _height(node: ast.stmt) -> int:
    """Its lines; those of decorators are left out."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _statements(node: ast.stmt) -> int:
    """How many statements a body has, those inside its branches and loops included."""
    count = 0
    for child in ast.iter_child_nodes(node):
        words = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        inner = isinstance(child, ast.FunctionDef | ast.ClassDef)
        if isinstance(child, ast.stmt) and not words and not inner:
            count += 1 + _statements(child)
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            count += sum(1 + _statements(each) for each in child.body)
    return count


def traced_inspection() -> Way:
    """Fit on drawn parts with default settings, and trace the inspection of one file."""
    way = Way()
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.png") for number in range(8)]
        for number, path in enumerate(paths):
            cv2.imwrite(str(path), _part(number))
        detector = blemish.fit([str(path) for path in paths[:-1]], progress=False)
        detector.inspect(paths[-1])
        detector.inspect(paths[-1])
        threading.setprofile(way.profile)
        sys.setprofile(way.profile)
        try:
            detector.inspect(paths[-1])
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    return way


def _part(seed: int) -> Bytes:
    """A grainy plate; the last one has a scratch, so that a region is explained too."""
    random = np.random.default_rng(seed)
    plate = cv2.GaussianBlur(random.normal(110, 30, (256, 256)).astype(np.float32), (0, 0), 2)
    if seed == 7:
        cv2.line(plate, (60, 60), (150, 130), 255.0, 5)
    return np.asarray(np.clip(plate, 0, 255), np.uint8)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="name the functions that ran, file by file")
    listed = parser.parse_args().list
    way, lines = traced_inspection(), [function.lines for function in functions()]
    rooms = sorted({file.split("/")[0].removesuffix(".py") for file in way.stations})
    changes = sum(a != b for (a, _), (b, _) in zip(way.calls, way.calls[1:], strict=False))
    print(f"files passed: {len(way.files)}, with {len(way.ran)} functions and {changes} changes of file")
    print(f"stations, files that did something: {len(way.stations)}, in {len(rooms)} rooms: {', '.join(rooms)}")
    print(f"functions: {len(lines)}, median {statistics.median(lines):g} lines, longest {max(lines)}")
    if listed:
        for file in way.files:
            names = [f"{each.name} ({each.statements})" for each in way.ran if each.file == file]
            print(f"{'*' if file in way.stations else ' '} {file}: {', '.join(names)}")


if __name__ == "__main__":
    main()
