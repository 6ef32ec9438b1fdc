"""What a model file says of its model beside the tensors: docs/file-format.md, "Manifest"."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from blemish.backbones.backbone import Manifest as BackboneManifest
from blemish.calibration.thresholds import Calibration, Wanted
from blemish.images.align import Aligner
from blemish.images.places import Places
from blemish.images.rules import Rules
from blemish.images.training_image import TrainingImage
from blemish.images.transform import Transform, Viewer
from blemish.options.settings import Settings

__all__ = [
    "FORMAT",
    "Change",
    "ModelManifest",
]

FORMAT: Final = 3


class Change(BaseModel):
    """A change of a model after fitting."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    change: Literal["add", "remove", "calibrate"]
    when: str
    """UTC, ISO 8601."""
    who: str
    images: tuple[TrainingImage, ...]
    """Those that were added, removed, or calibrated on; none where a calibration rests on the scores kept."""
    numbers: tuple[int, ...]
    """Their places among the images of the model: after adding, or before removing; ascending."""
    added: dict[str, int]
    """How many rows were put behind each table that was touched."""
    taken: dict[str, int]
    """How many were taken out of each."""
    before: Calibration
    """The thresholds before."""
    threshold: float
    """The threshold after."""
    wanted: Wanted | None = None
    """The operating point a calibration was asked for."""


class ModelManifest(BaseModel):
    """Everything about a model that is not a tensor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1, 2, 3]
    method: str
    created: str
    blemish: str
    settings: Settings
    transform: Transform
    places: Places | None = None
    """Where to look; None: everywhere."""
    aligner: Aligner | None = None
    """None: images are taken as they lie."""
    grid: tuple[int, int]
    """Rows and columns of patches on the network's input."""
    backbone: BackboneManifest | None
    """None for a method that trains a network of its own."""
    more_backbones: tuple[BackboneManifest, ...] = ()
    """The networks that looks name beside the backbone, each once."""
    calibration: Calibration
    images: tuple[TrainingImage, ...]
    journal: tuple[Change, ...] = ()
    """Changes made after fitting, oldest first."""
    sha256: dict[str, str] = {}
    """Of each tensor's type, shape and bytes; filled in on writing."""

    @property
    def viewer(self) -> Viewer:
        """How every image is looked at; images much larger than the good ones are refused."""
        rules = Rules.of(nodata=self.settings.nodata, sizes=[(image.height, image.width) for image in self.images])
        return Viewer(self.transform, self.places, self.aligner, rules)

    @property
    def in_memory(self) -> int:
        """How many images the memory knows."""
        return sum(image.in_memory for image in self.images)
