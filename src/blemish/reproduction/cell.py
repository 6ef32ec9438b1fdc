"""One model on one task: the unit that is measured, and kept."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from blemish.backbones.backbone import load_backbone
from blemish.data.protocols.shots import draw_shots
from blemish.data.protocols.tasks import Task
from blemish.data.samples import Sample
from blemish.methods.registry import find_method
from blemish.options.settings import Settings, make_settings
from blemish.system.address import stamp

__all__ = ["Cell"]

CALIBRATION = {"false_rejects", "confidence", "review", "calibration", "held_out", "folds"}
"""Settings of the threshold, on which nothing that a cell measures depends."""


@dataclass(frozen=True)
class Cell:
    """A model to fit on a task's training images, or on some shots of them, and to measure on its test images."""

    task: Task
    options: Mapping[str, Any] = field(default_factory=dict)
    """Settings beside those that the task fixes; where both name one, this one holds."""
    shots: int | None = None
    seed: int = 0
    """Draws the shots, and whatever the method draws."""

    @property
    def settings(self) -> Settings:
        return make_settings(**{**self.task.options, **self.options, "seed": self.seed})

    @property
    def train(self) -> list[Sample]:
        """The good images it is fitted on."""
        train = self.task.train
        if self.shots is None:
            return train
        drawn = draw_shots([sample.group for sample in train], self.shots, seed=self.seed)
        return [sample for sample, chosen in zip(train, drawn, strict=True) if chosen]

    def question(self) -> dict[str, Any]:
        """All that its answer depends on, as JSON; equal questions have equal answers."""
        settings = self.settings
        needs_backbone = find_method(settings.method).needs_backbone
        return {
            "task": self.task.name,
            "images": _fingerprint(self.task),
            "settings": settings.model_dump(mode="json", exclude=CALIBRATION),
            "network": load_backbone(settings.backbone).manifest.sha256 if needs_backbone else None,
            "shots": self.shots,
            "seed": self.seed,
        }


def _fingerprint(task: Task) -> str:
    """Changes with the names, sizes, labels, groups and splits of a task's images and masks."""
    digest = hashlib.sha256()
    for sample in task.samples:
        size = stamp(sample.path)[0]
        mask = (sample.mask.name, stamp(sample.mask)[0], sample.mask_cut) if sample.mask else None
        digest.update(repr((sample.path.name, size, sample.label, sample.group, sample.split, mask)).encode())
    return digest.hexdigest()
