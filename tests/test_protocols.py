"""Each protocol on a miniature tree in the layout the data set is published in."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from published_trees import SPOT, TREES, magnetic_tile, mvtec, save, shanghaitech

from blemish.arrays import Array
from blemish.data.protocols.clips import SIDE
from blemish.data.protocols.find import DATA_SETS, any_tasks
from blemish.data.protocols.magnetic_tile import tiles
from blemish.data.protocols.tasks import DataSet, Task
from blemish.errors import DataError
from blemish.images.mask import read_mask


def plain(task: Task, root: Path) -> list[tuple[str, str, str, str | None]]:
    """What a task says of its samples, paths relative to `root`."""
    return [
        (
            sample.split,
            sample.defect,
            str(sample.path.relative_to(root)),
            str(sample.mask.relative_to(root)) if sample.mask else None,
        )
        for sample in task.samples
    ]


def read(key: str, tmp_path: Path) -> list[Task]:
    """Make the tree under its key, and read it from the folder above."""
    (tmp_path / "data" / key).mkdir(parents=True)
    TREES[key](tmp_path / "data" / key)
    return known(key).tasks(tmp_path / "data", tmp_path / "derived")


def known(key: str) -> DataSet:
    return next(data_set for data_set in DATA_SETS if data_set.key == key)


@pytest.mark.parametrize("data_set", DATA_SETS, ids=lambda data_set: data_set.key)
def test_every_data_set_is_told_apart_and_explained_where_missing(data_set: DataSet, tmp_path: Path) -> None:
    tasks = read(data_set.key, tmp_path)
    assert all(task.train and task.test for task in tasks)
    assert not any(sample.label for task in tasks for sample in task.train)
    assert [each.key for each in DATA_SETS if each.find(tmp_path / "data")] == [data_set.key]
    assert data_set.find(tmp_path / "data" / data_set.key) == tmp_path / "data" / data_set.key
    for other in DATA_SETS:
        if other is not data_set:
            with pytest.raises(DataError) as error:
                other.tasks(tmp_path / "data", tmp_path)
            words = str(error.value)
            assert all(part in words for part in (other.title, other.home, other.licence, f"data/{other.key}/")), words


def test_magnetic_tile_published_split(tmp_path: Path) -> None:
    task = read("mtd", tmp_path)[0]
    assert plain(task, tmp_path / "data/mtd") == [
        ("train", "good", "MT_Free/Imgs/exp1_num_5000.jpg", None),
        ("train", "good", "MT_Free/Imgs/exp1_num_100.jpg", None),
        ("test", "Blowhole", "MT_Blowhole/Imgs/exp2_num_1100.jpg", "MT_Blowhole/Imgs/exp2_num_1100.png"),
        ("test", "good", "MT_Free/Imgs/exp1_num_1000.jpg", None),
        ("test", "good", "MT_Free/Imgs/exp1_num_250.jpg", None),
        ("test", "good", "MT_Free/Imgs/exp1_num_9000.jpg", None),
        ("test", "Uneven", "MT_Uneven/Imgs/exp2_num_1150.jpg", None),
    ]
    assert [sample.group for sample in task.samples] == ["3", "1", "2", "2", "1", "4", "2"]


def test_magnetic_tile_masks_are_cut_at_half_their_brightest_value(tmp_path: Path) -> None:
    task = read("mtd", tmp_path)[0]
    (defective,) = (sample for sample in task.samples if sample.mask)
    assert defective.mask is not None
    assert np.argwhere(read_mask(defective.mask, defective.mask_cut)).tolist() == [[2, 3]]
    assert len(np.argwhere(read_mask(defective.mask))) == 2


def test_magnetic_tile_disjoint_split_leaves_out_good_images_of_tiles_with_a_defect(tmp_path: Path) -> None:
    disjoint = read("mtd", tmp_path)[1]
    names = [sample.path.stem for sample in disjoint.samples]
    assert "exp1_num_1000" not in names
    assert [sample.path.stem for sample in disjoint.test] == ["exp2_num_1100", "exp2_num_1150"]


def test_magnetic_tile_without_the_list_has_the_disjoint_split_alone(tmp_path: Path) -> None:
    magnetic_tile(tmp_path)
    (tmp_path / "mtd_train_filenames.txt").unlink()
    assert [task.name for task in known("mtd").tasks(tmp_path, tmp_path)] == ["Magnetic Tile, no tile in both halves"]


def test_a_list_naming_absent_images_names_them(tmp_path: Path) -> None:
    magnetic_tile(tmp_path)
    (tmp_path / "train.txt").write_text("\n".join(f"MT_Free/Imgs/exp1_num_{i}.jpg" for i in (1, 2, 3, 4, 5, 100)))
    words = r"exp1_num_1\.jpg, exp1_num_2\.jpg, exp1_num_3\.jpg and 2 more \(5 in all\) are named in .*train\.txt"
    with pytest.raises(DataError, match=words):
        known("mtd").tasks(tmp_path, tmp_path)


def test_a_defective_tile_without_its_mask_is_named(tmp_path: Path) -> None:
    magnetic_tile(tmp_path)
    (tmp_path / "MT_Uneven/Imgs/exp2_num_1150.png").unlink()
    with pytest.raises(DataError, match=r"exp2_num_1150\.jpg is defective but without its mask exp2_num_1150\.png"):
        known("mtd").tasks(tmp_path, tmp_path)


def test_a_tile_ends_where_the_numbers_jump() -> None:
    paths = [Path(f"exp{i}_num_{n}.jpg") for i, n in ((1, 400), (2, 100), (3, 250), (4, 401), (5, 551))]
    assert [tiles(paths)[path] for path in paths] == [1, 1, 1, 1, 1]
    assert [tiles([*paths, Path("exp1_num_702.jpg")])[path] for path in paths] == [1] * 5
    assert tiles([*paths, Path("exp1_num_702.jpg")])[Path("exp1_num_702.jpg")] == 2
    with pytest.raises(DataError, match="is not named as the data set names"):
        tiles([Path("tile.jpg")])


def test_mvtec_takes_every_category(tmp_path: Path) -> None:
    tasks = read("mvtec", tmp_path)
    assert [task.name for task in tasks] == ["bottle", "cable"]
    assert plain(tasks[1], tmp_path / "data/mvtec/cable") == [
        ("train", "good", "train/good/000.png", None),
        ("test", "crack", "test/crack/000.png", "ground_truth/crack/000_mask.png"),
        ("test", "good", "test/good/000.png", None),
    ]


def test_visa_takes_the_split_of_its_table(tmp_path: Path) -> None:
    tasks = read("visa", tmp_path)
    assert [task.name for task in tasks] == ["candle", "pcb1"]
    assert plain(tasks[0], tmp_path / "data/visa/candle/Data") == [
        ("train", "good", "Images/Normal/0000.JPG", None),
        ("test", "good", "Images/Normal/0001.JPG", None),
        ("test", "anomaly", "Images/Anomaly/000.JPG", "Masks/Anomaly/000.png"),
    ]
    (tmp_path / "data/visa/pcb1/Data/Images/Normal/0000.JPG").unlink()
    with pytest.raises(DataError, match=r"0000\.JPG is named in .*1cls\.csv but absent"):
        any_tasks(tmp_path / "data", tmp_path)


def test_btad_masks_may_be_of_another_type(tmp_path: Path) -> None:
    tasks = read("btad", tmp_path)
    assert [task.name for task in tasks] == ["01", "02", "03"]
    assert plain(tasks[0], tmp_path / "data/btad/01") == [
        ("train", "good", "train/ok/0000.bmp", None),
        ("test", "good", "test/ok/0000.bmp", None),
        ("test", "ko", "test/ko/0000.bmp", "ground_truth/ko/0000.png"),
    ]


def test_kolektor_holds_out_whole_commutators(tmp_path: Path) -> None:
    (task,) = read("kolektor", tmp_path)
    assert plain(task, tmp_path / "data/kolektor") == [
        ("train", "good", "kos01/Part0.jpg", None),
        ("train", "good", "kos02/Part0.jpg", None),
        ("test", "good", "kos03/Part0.jpg", None),
        ("test", "defect", "kos03/Part1.jpg", "kos03/Part1_label.bmp"),
    ]
    assert [sample.group for sample in task.samples] == ["kos01", "kos02", "kos03", "kos03"]
    (tmp_path / "data/kolektor/kos01/Part1_label.bmp").unlink()
    with pytest.raises(DataError, match=r"Part1\.jpg is without its mask Part1_label\.bmp"):
        any_tasks(tmp_path / "data", tmp_path)


def test_kolektor2_trains_on_good_images_alone(tmp_path: Path) -> None:
    (task,) = read("kolektor2", tmp_path)
    assert plain(task, tmp_path / "data/kolektor2") == [
        ("train", "good", "train/10000.png", None),
        ("test", "good", "test/20000.png", None),
        ("test", "defect", "test/20001.png", "test/20001_GT.png"),
    ]


def test_ped2_takes_every_fifth_frame(tmp_path: Path) -> None:
    (task,) = read("ped2", tmp_path)
    assert plain(task, tmp_path / "data/ped2") == [
        ("train", "good", "Train/Train001/001.tif", None),
        ("train", "good", "Train/Train001/006.tif", None),
        ("test", "good", "Test/Test001/001.tif", None),
        ("test", "anomaly", "Test/Test001/006.tif", "Test/Test001_gt/006.bmp"),
    ]
    assert task.options == {"size": 256, "resize": "stretch"}
    assert [sample.group for sample in task.samples] == ["train Train001"] * 2 + ["test Test001"] * 2


def test_ped2_thinned_already_is_read_whole(tmp_path: Path) -> None:
    for part in ("train", "test"):
        save(tmp_path / part / "01/000.jpg")
        save(tmp_path / part / "01/005.jpg")
    save(tmp_path / "mask/01/000.png")
    save(tmp_path / "mask/01/005.png", SPOT)
    (task,) = known("ped2").tasks(tmp_path, tmp_path)
    assert [sample.label for sample in task.samples] == [0, 0, 0, 1]
    (tmp_path / "mask/01/005.png").unlink()
    with pytest.raises(DataError, match=r"test/01/005\.jpg has no mask .*mask/01/005\.png"):
        known("ped2").tasks(tmp_path, tmp_path)


def test_shanghaitech_as_distributed(tmp_path: Path) -> None:
    (task,) = read("shanghaitech", tmp_path)
    derived = tmp_path / "derived/shanghaitech"
    assert plain(task, derived) == [
        ("train", "good", "train/01_001/00000.png", None),
        ("train", "good", "train/01_001/00005.png", None),
        ("test", "good", "test/01_0014/00000.png", None),
        ("test", "anomaly", "test/01_0014/00005.png", "mask/01_0014/00005.png"),
        ("test", "good", "test/02_0128/00000.png", None),
        ("test", "anomaly", "test/02_0128/00005.png", "mask/02_0128/00005.png"),
    ]
    pixels = np.asarray(Image.open(derived / "train/01_001/00005.png"))
    assert pixels.shape == (SIDE, SIDE, 3)
    # Written by OpenCV as blue 50, red 200.
    np.testing.assert_allclose(pixels[9, 9], (200, 0, 50), atol=8)
    assert task.scene is not None
    assert [task.scene(sample) for sample in task.test] == ["01", "01", "02", "02"]
    mask = read_mask(derived / "mask/01_0014/00005.png")
    assert np.argwhere(mask).min(0).tolist() == [64, 64]
    assert np.argwhere(mask).max(0).tolist() == [127, 127]


def test_shanghaitech_is_not_decoded_twice_and_unfinished_clips_are_made_anew(tmp_path: Path) -> None:
    read("shanghaitech", tmp_path)
    derived = tmp_path / "derived/shanghaitech"
    save(derived / "train/01_001/00000.png", SPOT)
    (derived / "test/02_0128").rename(derived / "test/.02_0128")
    save(derived / "test/.02_0128/00001.png")
    (task,) = known("shanghaitech").tasks(tmp_path / "data", tmp_path / "derived")
    assert np.asarray(Image.open(derived / "train/01_001/00000.png")).shape == SPOT.shape
    assert len(task.test) == 4


@pytest.mark.parametrize(
    ("masks", "words"),
    [
        (np.zeros((5, 24, 32), np.uint8), r"01_0014\.npy holds an array of shape \(5, 24, 32\) .* has 6 frames"),
        (np.zeros((6, 32, 24), np.uint8), r"01_0014\.npy are 24 x 32 pixels but the frames of .*01_0014 are 32 x 24"),
        (np.array([{}] * 6), r"01_0014\.npy of the clip .*01_0014 cannot be read: .*Python objects"),
    ],
    ids=["too few", "swapped", "pickled"],
)
def test_shanghaitech_masks_that_do_not_fit(masks: Array, words: str, tmp_path: Path) -> None:
    shanghaitech(tmp_path)
    np.save(tmp_path / "testing/test_pixel_mask/01_0014.npy", masks, allow_pickle=True)
    with pytest.raises(DataError, match=words):
        known("shanghaitech").tasks(tmp_path, tmp_path / "derived")


def test_a_damaged_video_is_named(tmp_path: Path) -> None:
    shanghaitech(tmp_path)
    (tmp_path / "training/videos/01_001.avi").write_bytes(b"no video")
    with pytest.raises(DataError, match=r"01_001\.avi cannot be decoded as a video"):
        known("shanghaitech").tasks(tmp_path, tmp_path / "derived")


def test_any_labelled_folder_is_a_task_too(tmp_path: Path) -> None:
    mvtec(tmp_path)
    assert [task.name for task in any_tasks(tmp_path / "bottle", tmp_path)] == ["bottle"]
    with pytest.raises(DataError, match=r"holds no data set that is known \(Magnetic Tile Defects \(mtd\), "):
        any_tasks(tmp_path / "bottle" / "test", tmp_path)


@pytest.mark.parametrize(
    ("key", "image", "mask"),
    [
        ("mtd", "MT_Blowhole/Imgs/exp2_num_1100.jpg", "MT_Blowhole/Imgs/exp2_num_1100.png"),
        ("kolektor", "kos03/Part1.jpg", "kos03/Part1_label.bmp"),
        ("kolektor2", "test/20001.png", "test/20001_GT.png"),
        ("mvtec", "cable/test/crack/000.png", "cable/ground_truth/crack/000_mask.png"),
        ("btad", "02/test/ko/0000.png", "02/ground_truth/ko/0000.png"),
    ],
)
def test_a_mask_without_its_image_is_named(key: str, image: str, mask: str, tmp_path: Path) -> None:
    (tmp_path / key).mkdir()
    TREES[key](tmp_path / key)
    (tmp_path / key / image).rename(tmp_path / "elsewhere")
    if key in ("mvtec", "btad"):  # which are refused for want of any image before masks are looked at
        save((tmp_path / key / image).with_stem("another"))
    with pytest.raises(DataError, match=f"{Path(mask).name} is without"):
        known(key).tasks(tmp_path, tmp_path)
