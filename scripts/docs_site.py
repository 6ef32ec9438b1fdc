"""What MkDocs is told beside mkdocs.yml: pages from outside docs/, links between them, and the Python reference.

Links in the pages are those of the repository, so that they work where the files are read as they lie. Here they are
turned into links of the site. One that leads nowhere stops the build, and so does a public name without documentation.
"""

import inspect
import logging
import os
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
from documented import undocumented

import blemish
from blemish.options.listing import list_options

ROOT = Path(__file__).parent.parent
GATHERED = {
    "README.md": "index.md",
    "README.ja.md": "index.ja.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "benchmarks.md",
    "examples/README.md": "examples.md",
}
"""Pages of the site that lie outside docs/, by their place in the repository."""
LINK = re.compile(r"(\[[^\]]*\])\((?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?\)")
FOREIGN = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=["']?(https?://[^"'\s>]+)""")
"""What a browser would ask another host for on its own; links that a reader may click are something else."""
REFERENCE = "api.md"

log = logging.getLogger("mkdocs.hooks.docs_site")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take the gathered pages into the site."""
    for place, page in GATHERED.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / place)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a page, and fill in the reference."""
    name = page.file.src_uri
    place = next((place for place, gathered in GATHERED.items() if gathered == name), f"docs/{name}")
    markdown = LINK.sub(lambda link: turned(link, place, name), markdown)
    return markdown + _reference() if name == REFERENCE else markdown


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Refuse pages that would load something from another host."""
    for address in FOREIGN.findall(output):
        log.warning(f"{page.file.src_uri} would load {address} from another host.")
    return output


def turned(link: re.Match[str], place: str, name: str) -> str:
    """One link, from the repository's file `place` or the site's page `name`."""
    text, target, anchor = link.groups()
    found = os.path.normpath(os.path.join(os.path.dirname(place), target))
    if not (ROOT / found).exists():
        log.warning(f"{place} links to {target}, which is not there.")
    page = GATHERED.get(found) or (found.removeprefix("docs/") if found.startswith("docs/") else None)
    if page is None or (ROOT / found).is_dir():
        return f"{text[1:-1]}"
    return f"{text}({os.path.relpath(page, os.path.dirname(name) or '.')}{anchor or ''})"


def _reference() -> str:
    """The public names: calls, what they take and return, and what can go wrong."""
    for gap in undocumented():
        log.warning(gap)
    names = [name for name in blemish.__all__ if not name.startswith("_")]
    errors = [name for name in names if _is_error(getattr(blemish, name))]
    values = [name for name in names if inspect.isclass(getattr(blemish, name)) and name not in errors]
    calls = [name for name in names if name not in (*values, *errors)]
    return _chapter("Calls", calls) + _chapter("Values", values) + _options() + _chapter("Errors", errors)


def _is_error(thing: object) -> bool:
    return inspect.isclass(thing) and issubclass(thing, BaseException)


def _chapter(title: str, names: list[str]) -> str:
    return f"\n## {title}\n" + "".join(f"\n::: blemish.{name}\n" for name in names)


def _options() -> str:
    return f"\n## Options of fit\n\n```text\n{list_options()}\n```\n"
