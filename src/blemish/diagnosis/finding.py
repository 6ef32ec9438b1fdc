"""What the doctor saw in one image, and what it found in a data set."""

from dataclasses import dataclass, replace
from typing import Any

from blemish.data.samples import Sample
from blemish.images.glance import Glance

__all__ = ["Finding", "Seen"]


@dataclass(frozen=True)
class Finding:
    """One thing the doctor found."""

    name: str
    mend: bool
    """Whether it stops a fit or makes a measurement wrong; advice otherwise."""
    sentence: str
    """What was found, and what to do."""
    files: list[list[str]]
    """The images it is about; those of one picture or part together."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"name": self.name, "mend": self.mend, "sentence": self.sentence, "files": self.files}


@dataclass(frozen=True)
class Seen:
    """An image that could be read: what is known about it, and what it looks like."""

    sample: Sample
    glance: Glance

    @property
    def path(self) -> str:
        return str(self.sample.path)

    @property
    def to_fit(self) -> bool:
        return self.sample.split == "train" and not self.sample.label

    @property
    def has_stated_group(self) -> bool:
        return self.sample.group != self.path

    def in_group(self, name: str) -> Sample:
        """The sample, moved to a group."""
        return replace(self.sample, group=name)
