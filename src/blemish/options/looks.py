"""A look as it is written: one network at one input size, with the levels whose patches it compares."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["LookOption", "checked_looks"]

_FORM = re.compile(r"(?:(?P<network>[^@,]+)@)?(?P<side>\d+):(?P<taps>[^:+,]+(?:\+[^:+,]+)*)(?P<even>:even)?")


@dataclass(frozen=True)
class LookOption:
    """One look that was asked for, written NETWORK@SIDE:TAP+TAP:even; NETWORK@ and :even may be left out."""

    network: str
    """Empty for the backbone of the settings."""
    side: int
    """Side of the square with as many pixels as the input."""
    taps: tuple[str, ...]
    """Names or levels of the network's stages."""
    even: bool = False
    """Whether each image is brought to one brightness and contrast before the network sees it."""

    @classmethod
    def parse(cls, text: str) -> "LookOption":
        """Raises ValueError for what is not written like that."""
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise ValueError(text)
        return cls(found["network"] or "", int(found["side"]), tuple(found["taps"].split("+")), bool(found["even"]))

    def __str__(self) -> str:
        network = f"{self.network}@" if self.network else ""
        return f"{network}{self.side}:{'+'.join(self.taps)}{':even' if self.even else ''}"


def checked_looks(looks: Sequence[str]) -> tuple[str, ...]:
    """The looks as they are written in full. Raises ValueError for one that cannot be read, or whose size never fits.

    All looks see one sized image, the smaller ones averaged down: their sides divide the largest one.
    """
    parsed = [LookOption.parse(look) for look in looks]
    largest = max((look.side for look in parsed), default=0)
    if any(look.side < 32 or largest % look.side for look in parsed) or len(set(parsed)) < len(parsed):
        raise ValueError(looks)
    return tuple(str(look) for look in parsed)
