"""The options as text, for help(blemish.fit)."""

import textwrap

from blemish.options.given import FitOptions
from blemish.options.methods import OPTIONS_OF
from blemish.options.settings import fields, readers
from blemish.options.takes import type_source

__all__ = ["list_options"]

WIDTH = 110


def list_options() -> str:
    """Every option with its type, its meaning, who reads it and its default, one paragraph each."""
    return "\n".join(_paragraph(name) for name in fields())


def _paragraph(name: str) -> str:
    field = fields()[name]
    only = f" Method {', '.join(readers(name))} only." if 0 < len(readers(name)) < len(OPTIONS_OF) else ""
    said = f"{field.description}{only} Default {field.default!r}."
    meaning = textwrap.indent(textwrap.fill(said, WIDTH), "    ")
    return f"{name}: {type_source(FitOptions.__annotations__[name])}\n{meaning}"
