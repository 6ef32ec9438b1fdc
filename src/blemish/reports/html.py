"""HTML as values: what every page of the report room is built of. Text is escaped unless it is `Html` already."""

import base64
import html
import io
import json
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from PIL import Image

from blemish.arrays import Bytes
from blemish.errors import DataError
from blemish.system.outputs import begins
from blemish.system.whole_file import write_whole

__all__ = [
    "LONGEST_SIDE",
    "PAGE",
    "Html",
    "element",
    "facts",
    "json_data",
    "packed",
    "picture",
    "says",
    "table",
    "write_page_file",
]

LONGEST_SIDE = 320
"""Pictures on a page are at most this many pixels long."""
QUALITY = 85
"""Of the JPEG they are packed as."""

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""Whatever a page holds, a browser fetches nothing for it."""
PAGE = begins("an HTML page", "<!doctype html>\n<html lang=")
"""What a command may write a page over."""
_VOID = {"img", "input", "meta"}


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(value: object) -> Html:
    """A value as HTML: escaped, unless it is HTML already; None is nothing."""
    if isinstance(value, Html):
        return value
    return Html("" if value is None else html.escape(str(value)))


def element(tag: str, *children: object, **attributes: object) -> Html:
    """An element; `class_` and `for_` lose their underscore, `data_x` becomes data-x, None and False leave it out."""
    given = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{html.escape(str(value))}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    start = f"<{tag}{given}>"
    return Html(start if tag in _VOID else f"{start}{packed(children)}</{tag}>")


def packed(children: Iterable[object]) -> Html:
    """Several pieces one after the other."""
    return Html("".join(map(escaped, children)))


def says(text: str) -> Html:
    """A sentence on what follows."""
    return element("p", text, class_="quiet")


def facts(rows: Iterable[tuple[object, object]]) -> Html:
    """Names with their values."""
    return element("dl", *(element("div", element("dt", name), element("dd", value)) for name, value in rows))


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> Html:
    """A table whose first column names its rows; the others hold figures."""
    head = element("tr", *(element("th", cell, scope="col") for cell in header))
    body = (element("tr", element("th", row[0], scope="row"), *(element("td", c) for c in row[1:])) for row in rows)
    # A table wider than a phone scrolls in its own box, which the keyboard must reach.
    whole = element("table", element("thead", head), element("tbody", *body))
    return element("div", whole, class_="scroll", tabindex=0)


def picture(pixels: Bytes, what: str) -> Html:
    """An image element that holds its own pixels."""
    image = Image.fromarray(pixels)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=QUALITY)
    source = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return element("img", alt=what, src=source, width=image.width, height=image.height)


def json_data(name: str, values: Any) -> Html:
    """Values for a script, as an element that nothing in them can end."""
    content = json.dumps(values, allow_nan=False).replace("<", "\\u003c")
    return element("script", Html(content), type="application/json", id=name)


def write_page_file(path: Path, title: str, *body: object, language: str = "en", script: str | None = None) -> None:
    """Write one self-contained page, whole or not at all; `script` is a file beside this one. Raises DataError."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", _beside("page.css")),
    )
    code = element("script", _beside(script)) if script else None
    page = f"<!doctype html>\n{element('html', head, element('body', *body, code), lang=language)}\n"
    try:
        write_whole(path, page.encode("utf-8", errors="backslashreplace"))
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}; create its folder or free it.") from None


def _beside(name: str) -> Html:
    return Html(files(__package__).joinpath(name).read_text(encoding="utf-8"))
