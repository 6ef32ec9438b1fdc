"""What can go wrong, in words for the person who can mend it.

    BlemishError
    ├── OptionError      an option or argument has a value that cannot work
    ├── ImageError       one image cannot be used
    ├── DataError        a folder, list or data set cannot be used
    ├── BackboneError    a network or its manifest cannot be used
    ├── ProviderError    the hardware asked for is not available
    ├── ModelFileError   a model file cannot be read or written
    └── TrainingError    a method that trains did not come to an end

Every message is one sentence or two: what came, what is wanted, what to do.
"""

__all__ = [
    "BackboneError",
    "BlemishError",
    "DataError",
    "ImageError",
    "ModelFileError",
    "OptionError",
    "ProviderError",
    "TrainingError",
    "printable",
]


def printable(text: str) -> str:
    """The text on one line: line feeds, control characters and what is no Unicode are escaped."""
    return "".join(c if c.isprintable() or c == " " else c.encode("unicode_escape").decode() for c in text)


class BlemishError(Exception):
    """Anything blemish tells its user about; `str(error)` is the whole message, on one line."""

    def __str__(self) -> str:
        return printable(super().__str__())


class OptionError(BlemishError, ValueError):
    """An option or argument has a value that cannot work."""


class ImageError(BlemishError):
    """One image cannot be used; the message names it."""


class DataError(BlemishError):
    """A folder, list or data set cannot be used."""


class BackboneError(BlemishError):
    """A network or its manifest cannot be used."""


class ProviderError(BlemishError):
    """The execution provider asked for is not available on this machine."""


class ModelFileError(BlemishError):
    """A model file cannot be read or written; the message names the field that is wrong."""


class TrainingError(BlemishError):
    """Training diverged; the message names the epoch and what is kept."""
