"""The site's own code: links of the repository become links of the site, and what leads nowhere is told."""

import importlib.util
import logging
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site() -> ModuleType:
    pytest.importorskip("mkdocs", reason="needs the [docs] extra")
    spec = importlib.util.spec_from_file_location("docs_site", ROOT / "scripts" / "docs_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("place", "name", "link", "turned"),
    [
        ("docs/quickstart.md", "quickstart.md", "[a](kernels.md#memory)", "[a](kernels.md#memory)"),
        ("docs/quickstart.md", "quickstart.md", "[a](../README.md)", "[a](index.md)"),
        ("README.md", "index.md", "![a](docs/pictures/solar-cells.jpg)", "![a](pictures/solar-cells.jpg)"),
        ("docs/decisions/onnx.md", "decisions/onnx.md", "[a](../kernels.md)", "[a](../kernels.md)"),
        ("docs/decisions/README.md", "decisions/README.md", "[a](../../benchmarks/README.md)", "[a](../benchmarks.md)"),
        ("README.md", "index.md", "[files](benchmarks/results)", "files"),
        ("README.md", "index.md", "[a](https://example.org/b)", "[a](https://example.org/b)"),
    ],
)
def test_links_are_turned(site: ModuleType, place: str, name: str, link: str, turned: str) -> None:
    assert site.LINK.sub(lambda found: site.turned(found, place, name), link) == turned


def test_a_link_that_leads_nowhere_is_told(site: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        site.LINK.sub(lambda found: site.turned(found, "README.md", "index.md"), "[a](docs/nowhere.md)")
    assert "README.md links to docs/nowhere.md, which is not there." in caplog.text


def test_a_page_that_loads_from_elsewhere_is_found(site: ModuleType) -> None:
    assert site.FOREIGN.findall('<script async src="https://example.org/a.js">') == ["https://example.org/a.js"]
    assert site.FOREIGN.findall('<a href="https://example.org">') == []


def test_the_build_counts_warnings() -> None:
    """MkDocs with --quiet does not count them, and --strict then lets all of them pass."""
    (build,) = [line for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines() if "mkdocs build" in line]
    assert "--strict" in build
    assert "--quiet" not in build
    assert "-q" not in build.split()
