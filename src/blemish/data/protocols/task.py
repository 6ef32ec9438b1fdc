"""What a protocol asks for: one fit and one test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from blemish.data.samples import Sample

__all__ = ["Task"]


@dataclass(frozen=True)
class Task:
    """One model to fit on the samples of split `train` and to measure on those of split `test`."""

    name: str
    samples: list[Sample]
    options: Mapping[str, Any] = field(default_factory=dict)
    """The settings that the protocol fixes, such as the size of images."""
    scene: Callable[[Sample], str] | None = None
    """Where several scenes share the model: which one a sample shows, for metrics of each scene beside pooled ones."""

    @property
    def train(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.split == "train"]

    @property
    def test(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.split == "test"]
