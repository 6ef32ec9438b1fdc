"""Frames of fixed cameras: the layout that both video protocols are brought to, and what they share.

    train/CLIP/FRAME.*    normal frames
    test/CLIP/FRAME.*     frames to test
    mask/CLIP/FRAME.png   a mask for each of them, empty where the frame is normal

Frames of one clip are of one group. As in the PatchCore paper, every fifth frame is used, at 256 x 256, with feature
levels 3 and 4, and all pixels of all test frames are pooled.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from blemish.data.protocols.tasks import Task
from blemish.data.samples import Sample
from blemish.errors import DataError
from blemish.images.files import SUFFIXES
from blemish.images.mask import read_mask

__all__ = ["EVERY", "LEVELS", "OPTIONS", "SIDE", "clip_task", "frame", "frames_in", "in_clip_layout"]

EVERY = 5
"""Every fifth frame of a clip, its first one included, is used."""
SIDE = 256
OPTIONS: dict[str, Any] = {"size": SIDE, "resize": "stretch"}
LEVELS = (3, 4)
"""The feature levels PatchCore uses on frames; others use the levels of their own papers."""


def frames_in(clip: Path) -> list[Path]:
    """The frames of a clip's folder, in order."""
    return sorted(path for path in clip.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")


def in_clip_layout(folder: Path) -> bool:
    """Whether a folder has the layout above: train/, test/ and mask/."""
    return all((folder / part).is_dir() for part in ("train", "test", "mask"))


def clip_task(name: str, folder: Path, *, scene: Callable[[Sample], str] | None = None) -> Task:
    """The frames of a folder in the layout above, every one of them; they were thinned when it was made."""
    samples = [frame(path, None, clip.name, "train") for clip in _clips(folder / "train") for path in frames_in(clip)]
    for clip in _clips(folder / "test"):
        samples += [
            frame(path, folder / "mask" / clip.name / f"{path.stem}.png", clip.name, "test") for path in frames_in(clip)
        ]
    return Task(name, samples, OPTIONS, scene)


def frame(path: Path, mask: Path | None, clip: str, split: Literal["train", "test"]) -> Sample:
    """A frame is defective where its mask marks anything. Raises DataError where the mask is missing."""
    if mask is not None and not mask.is_file():
        raise DataError(f"The frame {path} has no mask {mask}; unpack the data set anew.")
    defective = mask is not None and bool(read_mask(mask).any())
    defect = "anomaly" if defective else "good"
    return Sample(path, int(defective), defect, mask if defective else None, f"{split} {clip}", split)


def _clips(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())
