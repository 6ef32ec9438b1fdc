"""How a page is made: its template, in the reader's language, with the scripts that are built."""

import functools
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.templating import Jinja2Templates
from markupsafe import Markup

from blemish.language.translation import translated
from blemish.service.pages.said import ONE, SCRIPT_SAYS
from blemish.service.people.access import Caller

__all__ = ["STATIC", "show", "teller"]

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
LANGUAGES = ("en", "ja")
templates = Jinja2Templates(FOLDER / "templates")
templates.env.trim_blocks = templates.env.lstrip_blocks = True

Say = Callable[..., str]


def show(request: Request, page: str, values: dict[str, Any], status: int = 200) -> Response:
    """A page for whoever asks; `say` in its template puts an English sentence into their language."""
    who: Caller | None = request.state.caller
    lang = language_of(request, who)
    say = teller(lang)
    common = {
        "who": who,
        "lang": lang,
        "say": say,
        "path": request.url.path,
        "script": _versioned("built/page.js"),
        "style": _versioned("station.css"),
        "script_says": _script_says(lang),
        "number": _number,
    }
    return templates.TemplateResponse(request, f"{page}.html", common | values, status)


def language_of(request: Request, who: Caller | None) -> str:
    """The language of a user; of the browser before anybody has logged in."""
    if who is not None and who.lang in LANGUAGES:
        return who.lang
    return "ja" if request.headers.get("accept-language", "").lower().startswith("ja") else "en"


def teller(lang: str) -> Say:
    """A function that says an English sentence in a language; `{name}` in it is filled from what is named."""

    def say(english: str, **values: Any) -> str:
        if lang == "en" and values.get("count") == 1:
            english = ONE.get(english, english)
        filled = english.format(**values) if values else english
        return translated(filled) if lang == "ja" else filled

    return say


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}g}"


def _script_says(lang: str) -> Markup:
    """What the scripts say, in Japanese, as JSON that no tag can end; in English what they say of one."""
    ones = {f"1:{english}": ONE[english] for english in SCRIPT_SAYS if english in ONE}
    told = ones if lang == "en" else {english: translated(english) for english in SCRIPT_SAYS}
    return Markup(json.dumps(told, ensure_ascii=False).replace("<", "\\u003c"))


def _versioned(name: str) -> str | None:
    """The address of a static file, which changes with what it holds; None where it is not built."""
    path = STATIC / name
    return f"/static/{name}?{_digest(path, path.stat().st_mtime_ns)}" if path.is_file() else None


@functools.lru_cache(maxsize=16)
def _digest(path: Path, changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
