"""What the check of docstrings asks for, on small names of its own."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def documented() -> ModuleType:
    spec = importlib.util.spec_from_file_location("documented", ROOT / "scripts" / "documented.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def whole(image: str, *, size: int) -> None:
    """Look at an image, shrunk to `size` pixels."""


def lacking(image: str, *, size: int) -> None:
    """Look at an image."""


def bare(image: str) -> None: ...


@dataclass(frozen=True)
class Place:
    """A place; `x` is named here."""

    x: int
    y: int
    z: int
    """So is this one, and y with it."""
    lost: int

    def moved(self, by: int) -> "Place":
        """The place elsewhere."""
        return self

    @property
    def height(self) -> int:
        return self.y


@pytest.mark.parametrize(
    ("thing", "gaps"),
    [
        (whole, []),
        (lacking, ["it does not say what its argument size is."]),
        (bare, ["it has no docstring."]),
        (
            Place,
            [
                "it.lost: neither its own docstring nor the class's says what it is.",
                "it.moved does not say what its argument by is.",
                "it.height has no docstring.",
            ],
        ),
    ],
)
def test_gaps_are_found(
    documented: ModuleType, thing: object, gaps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documented.blemish, "__name__", __name__.partition(".")[0])
    assert list(documented.gaps("it", thing)) == gaps


def test_every_public_name_says_what_its_arguments_are(documented: ModuleType) -> None:
    assert documented.undocumented() == []
