"""A station that runs by itself and a real browser before it, for tests, campaigns and the pictures of the docs."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chromium import CHROMIUM, QUIET

BUILT = Path(__file__).parent.parent / "src/blemish/service/pages/static/built/page.js"
AXE = Path(__file__).parent.parent / "page/node_modules/axe-core/axe.min.js"


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """A station over a folder, as `blemish serve` runs it; gives the login link."""
    words = [str(Path(sys.executable).with_name("blemish")), "serve", str(folder), "--port", "0", "--link"]
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "station.log"
    with log.open("w") as out, subprocess.Popen(words, stdout=out, stderr=out) as station:
        try:
            yield _link(station, log)
        finally:
            station.terminate()
            station.wait(20)


def _link(station: "subprocess.Popen[bytes]", log: Path) -> str:
    """The login link, once it is printed."""
    while station.poll() is None:
        if found := re.search(r"http://\S+/login/once\?secret=\S+\n", log.read_text("utf-8")):
            return found[0].strip()
        time.sleep(0.05)
    raise AssertionError(f"the station did not start: {log.read_text('utf-8')}")


@dataclass
class Heard:
    """What a browser said that nobody wants to hear."""

    errors: list[str] = field(default_factory=list)
    abroad: list[str] = field(default_factory=list)
    """Requests to other hosts."""


@contextmanager
def browsing(width: int = 1280, height: int = 800, **more: Any) -> Iterator[tuple[Any, Heard]]:
    """A page of a real browser, and what it complained of."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": width, "height": height}, **more)
        heard = Heard()
        page.on("console", lambda said: heard.errors.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: heard.errors.append(str(error)))
        page.on("request", lambda each: None if _is_here(each.url) else heard.abroad.append(each.url))
        page.set_default_timeout(240_000)
        yield page, heard
        browser.close()


def _is_here(address: str) -> bool:
    return address.startswith(("http://127.0.0.1:", "data:", "blob:"))


def faults(page: Any) -> list[str]:
    """What axe-core calls serious or critical on a page as it is now."""
    page.evaluate(AXE.read_text("utf-8"))  # by the debugger, so that the page's own policy stays as strict as it is
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{page.url}: {each['id']}: {node['target']} {node.get('failureSummary', '')}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def wider_than_the_screen(page: Any) -> bool:
    """Whether a page scrolls sideways."""
    wide: bool = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return wide
