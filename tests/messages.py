"""Every sentence that blemish says to its users, read from its code: the tests of its language ask for all of them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "blemish"
HOLE = "\ue000"
"""Stands for a value in a sentence."""
ERRORS = set(re.findall(r"^class (\w+)", (SOURCE / "errors.py").read_text("utf-8"), re.MULTILINE))
SAYING = {"say", "fail", "tell", "log"}
"""Functions of the command line that print their argument."""


def messages() -> set[str]:
    """Sentences with HOLE for each value: of errors, of what commands say, of findings, notes and damaged images."""
    return {text for path in SOURCE.rglob("*.py") for text in _of_file(path) if text.strip(f"{HOLE} .:;,()")}


def _of_file(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Assign) and path.name == "checks.py" and _name(node.targets[0]) == "sentence":
            yield from _text(node.value)
        if not isinstance(node, ast.Call):
            continue
        name = _name(node.func)
        if (name in ERRORS or (name in SAYING and "cli" in path.parts)) and node.args:
            yield from _text(node.args[0])
        elif name == "damaged" and len(node.args) == 2:
            yield from _text(node.args[1])
        elif name == "append" and _name(getattr(node.func, "value", node)) == "notes":
            yield from _text(node.args[0])


def _name(node: ast.AST) -> str:
    return str(getattr(node, "id", None) or getattr(node, "attr", ""))


def _text(node: ast.expr) -> Iterator[str]:
    """The sentence that an expression makes, where it is written there."""
    if isinstance(node, ast.IfExp):
        yield from _text(node.body)
        yield from _text(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values)
