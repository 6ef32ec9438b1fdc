"""Write src/blemish/options/given.py, the types of what `fit` takes, from the options themselves."""

import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from blemish.options.settings import Resources, Settings, fields
from blemish.options.takes import choices, type_source

TARGET = Path(__file__).parent.parent / "src" / "blemish" / "options" / "given.py"

WIDTH = 116

_HEAD = '''"""What `fit` and `Settings` take, for editors and type checkers; written by scripts/write_options.py."""

from collections.abc import Sequence
from os import PathLike
from typing import Literal, TypedDict

__all__ = ["FitOptions", "SettingsOptions"]


class SettingsOptions(TypedDict, total=False):
    """What `Settings` takes."""
'''
_BETWEEN = '''

class FitOptions(SettingsOptions, total=False):
    """What `fit` takes: settings, and resources of the machine."""
'''


def page() -> str:
    """The whole file."""
    settings = {name: field for name, field in fields().items() if name in Settings.model_fields}
    return f"{_HEAD}{_entries(settings)}{_BETWEEN}{_entries(Resources.model_fields)}"


def _entries(options: Mapping[str, FieldInfo]) -> str:
    return "".join(
        _entry(name, type_source(_taken(name, field)), str(field.description)) for name, field in options.items()
    )


def _entry(name: str, source: str, description: str) -> str:
    said = textwrap.indent(textwrap.fill(f'"""{description}"""', WIDTH, break_on_hyphens=False), "    ")
    return f"\n    {name}: {source}\n{said}\n"


def _taken(name: str, field: FieldInfo) -> Any:
    """The type of what may be given: that of the text form where the option has one."""
    if name == "method":
        return Literal[*choices(field)]
    forms = [mark.json_schema_input_type for mark in field.metadata if isinstance(mark, BeforeValidator)]
    return forms[0] if forms else field.annotation


def main() -> None:
    """Write the file."""
    TARGET.write_text(page(), encoding="utf-8", newline="\n")
    sys.stderr.write(f"wrote {TARGET.name}\n")


if __name__ == "__main__":
    main()
