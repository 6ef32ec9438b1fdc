"""ShanghaiTech Campus (Luo, Liu and Gao, ICCV 2017), subsampled as in the PatchCore paper (mSTC): see clips.py.

Read as it is distributed: training/videos/01_001.avi (or frames of them in training/frames/01_001), testing/frames/
01_0014/000.jpg and testing/test_pixel_mask/01_0014.npy (frames x height x width). The frames in use are brought to
256 x 256 once and kept beside the results, so that a second run, or one that was interrupted, need not decode again.
One model serves all scenes. The paper does not say whether pixels are pooled over scenes or scenes averaged, nor
whether the training frames are thinned like the test frames; both metrics are given, and both are thinned.
"""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from blemish.arrays import Array
from blemish.data.protocols.clips import EVERY, SIDE, clip_task, frames_in
from blemish.data.protocols.tasks import DataSet, Task
from blemish.data.samples import Sample
from blemish.errors import DataError
from blemish.images.read import read_image
from blemish.images.transform import resize

__all__ = ["SHANGHAITECH", "thin"]


def thin(folder: Path, target: Path) -> None:
    """Write every fifth frame and its mask at 256 x 256, clip by clip; a clip that is there already is left alone.

    Raises DataError for a video that cannot be decoded, and where masks and frames of a clip differ in number or size.
    """
    videos = sorted((folder / "training" / "videos").glob("*.avi"))
    clips = sorted(path for path in (folder / "training" / "frames").glob("*") if path.is_dir())
    for video in videos:
        _write_clip(target / "train" / video.stem, _decode(video))
    for clip in clips:
        if clip.name not in {video.stem for video in videos}:
            _write_clip(target / "train" / clip.name, map(read_image, frames_in(clip)[::EVERY]))
    for clip in sorted((folder / "testing" / "frames").iterdir()):
        if clip.is_dir():
            frames = frames_in(clip)
            masks = _masks(folder / "testing" / "test_pixel_mask" / f"{clip.name}.npy", clip, frames)
            _write_clip(target / "mask" / clip.name, masks, mask=True)
            _write_clip(target / "test" / clip.name, map(read_image, frames[::EVERY]))


def _decode(video: Path) -> Iterator[Array]:
    """Every fifth frame of a video, RGB."""
    reader = cv2.VideoCapture(str(video))
    try:
        number = 0
        while reader.grab():
            if number % EVERY == 0:
                decoded, image = reader.retrieve()
                if not decoded:
                    raise DataError(f"Frame {number} of {video} cannot be decoded; is the file cut short?")
                yield np.ascontiguousarray(image[:, :, ::-1])
            number += 1
        if number == 0:
            raise DataError(f"{video} cannot be decoded as a video; is it damaged?")
    finally:
        reader.release()


def _masks(path: Path, clip: Path, frames: list[Path]) -> Iterator[Array]:
    """Every fifth mask of a clip, 0 or 255; never unpickled."""
    try:
        masks_THW = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"The masks {path} of the clip {clip} cannot be read: {str(error).rstrip('.')}.") from None
    if masks_THW.ndim != 3 or len(masks_THW) != len(frames):
        raise DataError(
            f"{path} holds an array of shape {masks_THW.shape} but the clip {clip} has {len(frames)} frames."
        )
    first = read_image(frames[0])
    if masks_THW.shape[1:] != first.shape[:2]:
        sizes = f"{masks_THW.shape[2]} x {masks_THW.shape[1]}", f"{first.shape[1]} x {first.shape[0]}"
        raise DataError(f"The masks {path} are {sizes[0]} pixels but the frames of {clip} are {sizes[1]}.")
    return ((mask_HW > 0).astype(np.uint8) * 255 for mask_HW in masks_THW[::EVERY])


def _write_clip(target: Path, images: Iterable[Array], *, mask: bool = False) -> None:
    """Write a clip's images into a folder that gets its name when all are there."""
    if target.is_dir():
        return
    unfinished = target.with_name(f".{target.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for number, image in enumerate(images):
        sized = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) if mask else resize(image, SIDE, SIDE)
        Image.fromarray(sized).save(unfinished / f"{number * EVERY:05}.png", compress_level=1)
    unfinished.rename(target)


def scene(sample: Sample) -> str:
    """The camera: the first number of a clip's name."""
    return sample.path.parent.name.split("_")[0]


def _read(folder: Path, derived: Path) -> list[Task]:
    thin(folder, derived / "shanghaitech")
    return [clip_task("ShanghaiTech Campus (mSTC)", derived / "shanghaitech", scene=scene)]


SHANGHAITECH = DataSet(
    key="shanghaitech",
    title="ShanghaiTech Campus",
    home="https://svip-lab.github.io/dataset/campus_dataset.html",
    licence="none named; for research",
    layouts=(
        ("training/videos/*.avi", "testing/frames/*", "testing/test_pixel_mask/*.npy"),
        ("training/frames/*", "testing/frames/*", "testing/test_pixel_mask/*.npy"),
    ),
    read=_read,
)
