"""UCSD Ped2 (Mahadevan et al., CVPR 2010) as the PatchCore paper treats ShanghaiTech Campus: see clips.py.

One model for all clips: they are of one camera. Read as it is distributed (UCSDped2/Train/Train001/001.tif,
Test/Test001/001.tif, Test/Test001_gt/001.bmp), or thinned already in the layout of clips.py.
"""

from pathlib import Path

from blemish.data.protocols.clips import EVERY, OPTIONS, clip_task, frame, frames_in, in_clip_layout
from blemish.data.protocols.tasks import DataSet, Task

__all__ = ["PED2"]

NAME = "UCSD Ped2"


def _read(folder: Path, derived: Path) -> list[Task]:
    if in_clip_layout(folder):
        return [clip_task(NAME, folder)]
    train = [clip for clip in sorted((folder / "Train").glob("Train???")) if clip.is_dir()]
    test = [clip for clip in sorted((folder / "Test").glob("Test???")) if clip.is_dir()]
    samples = [frame(path, None, clip.name, "train") for clip in train for path in frames_in(clip)[::EVERY]]
    for clip in test:
        masks = clip.with_name(f"{clip.name}_gt")
        samples += [frame(path, masks / f"{path.stem}.bmp", clip.name, "test") for path in frames_in(clip)[::EVERY]]
    return [Task(NAME, samples, OPTIONS)]


PED2 = DataSet(
    key="ped2",
    title="UCSD Ped2",
    home="http://www.svcl.ucsd.edu/projects/anomaly/dataset.htm",
    licence="none named",
    layouts=(("Train/Train001", "Test/Test001_gt"), ("train/*/*.jpg", "test/*/*.jpg", "mask/*/*.png")),
    read=_read,
)
