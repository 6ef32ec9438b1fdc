"""What commands that change a model say of its signature."""

from pathlib import Path
from typing import TYPE_CHECKING

from blemish.cli.console import say

if TYPE_CHECKING:
    from blemish.detector import Detector

__all__ = ["say_unsigned"]


def say_unsigned(path: Path, before: "Detector", after: "Detector") -> None:
    """Say that a model which was signed is not any more, since it changed."""
    was = before.model.signed
    if was and not after.model.signed:
        say(f"{path}: the signature of {was['by']} has ended, since the model changed; sign it again: blemish sign.")
