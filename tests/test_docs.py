"""What the docs say is run or compared here, so that it cannot drift."""

import importlib.util
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from blemish.cli.main import app
from blemish.methods.registry import METHODS
from blemish.model import file as store
from blemish.model.manifest import ModelManifest
from blemish.options.settings import Settings, make_settings

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("examples/*.md")]
)


def python_snippets(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the docs assume it: good/ and line/."""
    random = np.random.default_rng(0)
    for name in (*(f"good/{i}.png" for i in range(4)), *(f"line/{i:04}.png" for i in range(1, 4))):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(90, 110, (48, 64, 3), np.uint8)).save(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "quickstart.md"], ids=lambda page: page.name)
def test_python_snippets_run(page: Path, workshop: Path) -> None:
    snippets = python_snippets(page)
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, str(page.name), "exec"), {})


def test_cli_page_is_what_the_commands_print() -> None:
    spec = importlib.util.spec_from_file_location("write_cli_docs", ROOT / "scripts" / "write_cli_docs.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for lang, page in script.TARGETS.items():
        assert page.read_text(encoding="utf-8") == script.page(lang), "run: make docs"
    there = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    assert {command[0] for command in script.COMMANDS} == there, "scripts/write_cli_docs.py lists every command"


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_install_page_names_every_extra_and_dependency() -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra in project["optional-dependencies"]:
        assert f"| `{extra}` |" in page, extra
    download = next(line for line in page.splitlines() if line.startswith("pip download"))
    wanted = {re.split(r"[><=\[]", name)[0] for name in project["dependencies"]}
    assert wanted == set(download.partition("--dest wheels ")[2].split())


def test_benchmarks_page_names_every_script_and_its_result() -> None:
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for script in (ROOT / "benchmarks").glob("*.py"):
        assert f"`{script.name}`" in page, script.name
    for pattern in re.findall(r"`([a-z0-9_]+\*)`", page):
        assert list((ROOT / "benchmarks" / "results").glob(f"{pattern}.md")), pattern


def test_every_page_is_in_the_sites_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        assert f" {page.relative_to(ROOT / 'docs').as_posix()}\n" in navigation, page.name


def test_file_format_names_every_tensor_and_field() -> None:
    page = (ROOT / "docs" / "file-format.md").read_text(encoding="utf-8")
    own = {name for method in METHODS for name in store.tensor_kinds(make_settings(method=method))}
    for name in (*own, *ModelManifest.model_fields):
        assert f"`{name}`" in page, name


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_readme_commands_are_make_targets() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
