"""Which public names lack a docstring, or an argument in it; asked by the tests and by `make docs`.

A public name is one of `blemish.__all__`, and each public method, property and field of such a class.
"""

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import blemish

__all__ = ["undocumented"]


def undocumented(names: list[str] | None = None) -> list[str]:
    """A sentence for each gap, of `names` or of all public names."""
    return [gap for name in names or blemish.__all__ for gap in gaps(name, getattr(blemish, name))]


def gaps(name: str, thing: Any) -> Iterator[str]:
    if isinstance(thing, str):
        return
    if not _own_docstring(thing):
        yield f"{name} has no docstring."
    elif inspect.isclass(thing):
        yield from _class_gaps(name, thing)
    else:
        yield from _argument_gaps(name, thing)


def _class_gaps(name: str, kind: type) -> Iterator[str]:
    explained = _explained_fields(kind)
    for field in dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ():
        if not field.name.startswith("_") and field.name not in explained:
            yield f"{name}.{field.name}: neither its own docstring nor the class's says what it is."
    for member, value in vars(kind).items():
        if not member.startswith("_") and _is_code(value):
            yield from _member_gaps(f"{name}.{member}", value)


def _is_code(value: Any) -> bool:
    kinds = (property, classmethod, staticmethod)
    return inspect.isfunction(value) or isinstance(value, kinds) or type(value).__name__ == "cached_property"


def _member_gaps(name: str, value: Any) -> Iterator[str]:
    function = getattr(value, "__func__", value)
    if not inspect.getdoc(value):
        yield f"{name} has no docstring."
    elif inspect.isfunction(function):
        yield from _argument_gaps(name, function)


def _argument_gaps(name: str, function: Callable[..., Any]) -> Iterator[str]:
    text = inspect.getdoc(function) or ""
    for argument in inspect.signature(function).parameters.values():
        if argument.name not in ("self", "cls") and not _named(argument.name, text):
            yield f"{name} does not say what its argument {argument.name} is."


def _named(word: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def _own_docstring(thing: Any) -> str | None:
    """The docstring as written; dataclasses without one get their signature, which explains nothing."""
    text = inspect.getdoc(thing)
    return None if text is None or text.startswith(f"{thing.__name__}(") else text


def _explained_fields(kind: type) -> set[str]:
    """Fields followed by a string of their own, or named in the docstring of their class, here and in its bases."""
    found: set[str] = set()
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] == blemish.__name__:
            found |= _followed_by_text(base)
            found |= set(re.findall(r"\w+", base.__doc__ or ""))
    return found


def _followed_by_text(kind: type) -> set[str]:
    """Fields with a string below them; a string below several lines of fields is for all of these."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    found, waiting = set[str](), list[str]()
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            waiting.append(node.target.id)
        else:
            is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            found |= set(waiting if is_text else ())
            waiting = []
    return found


def _report() -> None:
    gaps = undocumented()
    print("\n".join(gaps) or "every public name is documented")
    raise SystemExit(bool(gaps))


if __name__ == "__main__":
    _report()
