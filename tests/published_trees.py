"""Miniature trees in the layouts that data sets are published in."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from blemish.arrays import Array

__all__ = ["BLANK", "SPOT", "TREES", "magnetic_tile", "mvtec", "save", "shanghaitech"]

BLANK = np.zeros((6, 8), np.uint8)
SPOT = BLANK.copy()
SPOT[2, 3] = 255


def save(path: Path, pixels: Array = BLANK) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def magnetic_tile(root: Path) -> None:
    """Tiles 1 (two exposures), 2 (with a defect), 3 and, by a gap, 4; the list is DifferNet's."""
    for number in (100, 250, 1000, 5000, 9000):
        save(root / f"MT_Free/Imgs/exp1_num_{number}.jpg")
        save(root / f"MT_Free/Imgs/exp1_num_{number}.png")
    faint = SPOT // 3 + SPOT
    faint[0, 0] = 40
    save(root / "MT_Blowhole/Imgs/exp2_num_1100.jpg")
    save(root / "MT_Blowhole/Imgs/exp2_num_1100.png", faint)
    save(root / "MT_Uneven/Imgs/exp2_num_1150.jpg")
    save(root / "MT_Uneven/Imgs/exp2_num_1150.png")
    (root / "mtd_train_filenames.txt").write_text("MT_Free/Imgs/exp1_num_5000.jpg\nMT_Free/Imgs/exp1_num_100.jpg\n")


def mvtec(root: Path) -> None:
    for category in ("bottle", "cable"):
        save(root / category / "train/good/000.png")
        save(root / category / "test/good/000.png")
        save(root / category / "test/crack/000.png")
        save(root / category / "ground_truth/crack/000_mask.png", SPOT)
    (root / "license.txt").write_text("CC BY-NC-SA 4.0")


def visa(root: Path) -> None:
    lines = ["object,split,label,image,mask"]
    for object_ in ("pcb1", "candle"):
        data = f"{object_}/Data"
        for number in ("0000", "0001"):
            save(root / data / f"Images/Normal/{number}.JPG")
        save(root / data / "Images/Anomaly/000.JPG")
        save(root / data / "Masks/Anomaly/000.png", SPOT // 255 * 3)
        lines += [
            f"{object_},train,normal,{data}/Images/Normal/0000.JPG,",
            f"{object_},test,normal,{data}/Images/Normal/0001.JPG,",
            f"{object_},test,anomaly,{data}/Images/Anomaly/000.JPG,{data}/Masks/Anomaly/000.png",
        ]
    (root / "split_csv").mkdir()
    (root / "split_csv/1cls.csv").write_text("\n".join(lines))


def btad(root: Path) -> None:
    for product, suffix in (("01", "bmp"), ("02", "png"), ("03", "bmp")):
        for part in ("train/ok", "test/ok", "test/ko"):
            save(root / product / part / f"0000.{suffix}")
        save(root / product / "ground_truth/ko/0000.png", SPOT)


def kolektor(root: Path) -> None:
    for item in ("kos01", "kos02", "kos03"):
        for part in ("Part0", "Part1"):
            save(root / item / f"{part}.jpg")
            save(root / item / f"{part}_label.bmp", SPOT if part == "Part1" else BLANK)


def kolektor2(root: Path) -> None:
    for split, number in (("train", 10000), ("train", 10001), ("test", 20000), ("test", 20001)):
        save(root / split / f"{number}.png")
        save(root / split / f"{number}_GT.png", SPOT if number % 2 else BLANK)


def ped2(root: Path) -> None:
    for number in range(1, 8):
        save(root / f"Train/Train001/{number:03}.tif")
        save(root / f"Test/Test001/{number:03}.tif")
        save(root / f"Test/Test001_gt/{number:03}.bmp", SPOT if number > 5 else BLANK)


def shanghaitech(root: Path) -> None:
    (root / "training/videos").mkdir(parents=True)
    video = cv2.VideoWriter(str(root / "training/videos/01_001.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 24, (32, 24))
    for number in range(7):
        video.write(np.full((24, 32, 3), (10 * number, 0, 200), np.uint8))
    video.release()
    masks = np.zeros((6, 24, 32), np.uint8)
    masks[5, 6:12, 8:16] = 1
    for clip in ("01_0014", "02_0128"):
        for number in range(6):
            save(root / f"testing/frames/{clip}/{number:03}.jpg", np.zeros((24, 32, 3), np.uint8))
        for kind in ("test_frame_mask", "test_pixel_mask"):
            (root / "testing" / kind).mkdir(exist_ok=True)
            np.save(root / "testing" / kind / f"{clip}.npy", masks if kind == "test_pixel_mask" else masks.any((1, 2)))


TREES: dict[str, Callable[[Path], None]] = {
    tree.__name__.replace("magnetic_tile", "mtd"): tree
    for tree in (magnetic_tile, mvtec, visa, btad, kolektor, kolektor2, ped2, shanghaitech)
}
