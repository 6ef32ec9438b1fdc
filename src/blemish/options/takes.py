"""What an option takes, told once: the sentence that refuses other values and the help of the command line read it."""

import types
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

__all__ = ["Panel", "Takes", "as_typed", "choices", "number_words", "panel_of", "shown_type", "type_source", "wanted"]


class Panel(StrEnum):
    """The group in which help lists an option, in this order."""

    FIRST = "What most need first"
    DATA = "Data: which pixels are inspected"
    LOOK = "Look: how the network sees an image"
    MEMORY = "Memory bank"
    SCORE = "Score"
    THRESHOLD = "Threshold"
    OTHER = "Other methods"
    MACHINE = "Machine"


@dataclass(frozen=True)
class Takes:
    """Marks an option that has a text form of its own."""

    words: str
    """Completes the sentence "give ..."."""
    shown: str
    """Stands for the value in the help of the command line."""
    choices: tuple[str, ...] = ()
    """All that can be given, where that is few."""


def as_typed(value: Any) -> str:
    """The value of an option as one types it."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def panel_of(field: FieldInfo) -> Panel:
    """The group an option belongs to."""
    return next(mark for mark in field.metadata if isinstance(mark, Panel))


def wanted(field: FieldInfo) -> str:
    """What may be given for an option, to complete the sentence "give ..."."""
    takes = _takes(field)
    words = takes.words if takes else _plain_words(field)
    return f"{words}, or none" if _may_be_none(field) else words


def shown_type(field: FieldInfo) -> str:
    """What stands for the value of an option in help: its choices, or its type."""
    named = choices(field)
    takes = _takes(field)
    shown = takes.shown if takes else "|".join(named) if named else _type_name(field)
    return f"<{shown}|none>" if _may_be_none(field) else f"<{shown}>"


def number_words(kind: type, low: float | None, high: float | None) -> str:
    """What a number may be, to complete the sentence "give ..."."""
    return f"{'a whole number' if kind is int else 'a number'} {_range(low, None, high, None)}".strip()


def choices(field: FieldInfo) -> list[str]:
    """The values of an option that takes only a few; none for others."""
    takes = _takes(field)
    if takes:
        return list(takes.choices)
    kinds = list(_kinds(field.annotation))
    if kinds == [bool]:
        return ["yes", "no"]
    if all(get_origin(kind) is Literal for kind in kinds):
        return [str(value) for kind in kinds for value in get_args(kind)]
    return []


def type_source(kind: Any) -> str:
    """A type as one writes it."""
    if get_origin(kind) in (Union, types.UnionType):
        return " | ".join(map(type_source, get_args(kind)))
    if get_origin(kind) is Literal:
        return f"Literal[{', '.join(f'{chr(34)}{value}{chr(34)}' for value in get_args(kind))}]"
    if kind is type(None):
        return "None"
    name: str = kind.__name__
    return f"{name}[{', '.join(map(type_source, get_args(kind)))}]" if get_args(kind) else name


def _takes(field: FieldInfo) -> Takes | None:
    return next((mark for mark in field.metadata if isinstance(mark, Takes)), None)


def _may_be_none(field: FieldInfo) -> bool:
    return type(None) in get_args(field.annotation)


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types an option's value may have, without None."""
    union = get_origin(annotation) in (Union, types.UnionType)
    yield from (kind for kind in (get_args(annotation) if union else [annotation]) if kind is not type(None))


def _type_name(field: FieldInfo) -> str:
    (kind,) = _kinds(field.annotation)
    return {int: "number", float: "number", str: "text", Path: "path"}[kind]


def _plain_words(field: FieldInfo) -> str:
    if named := choices(field):
        return " or ".join([", ".join(named[:-1]), named[-1]]) if len(named) > 1 else named[0]
    (kind,) = _kinds(field.annotation)
    names = {int: "a whole number", float: "a number", str: "a text", Path: "the path of a file or folder"}
    return " ".join([names[kind], _range_words(field)]).strip()


def _range_words(field: FieldInfo) -> str:
    """The bounds of a number in words."""
    ends: dict[str, Any] = {}
    for mark in field.metadata:
        if isinstance(mark, Ge | Gt | Le | Lt):
            ends |= asdict(mark)
    return _range(*(ends.get(end) for end in ("ge", "gt", "le", "lt")))


def _range(low: float | None, above: float | None, high: float | None, below: float | None) -> str:
    if low is not None and high is not None:
        return f"from {low} to {high}"
    bounds = (("of at least", low), ("above", above), ("up to", high), ("below", below))
    return " and ".join(f"{words} {bound}" for words, bound in bounds if bound is not None)
