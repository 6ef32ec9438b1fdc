"""One definition of several images: every call takes folders, patterns, files, arrays, pairs and generators alike."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parts import TINY, good_part, save_image, scratched_part
from PIL import Image

import blemish
from blemish.detector import Detector
from blemish.errors import DataError, ImageError, OptionError
from blemish.images.read import keep, read_image
from blemish.images.sources import each_source, list_sources
from blemish.result import Verdict
from blemish.scanning import scan

GREY = good_part(1)
COLOUR = np.repeat(GREY[:, :, None], 3, axis=2)


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """a/1.png, a/2.png and a/10.png."""
    for number in (1, 2, 10):
        save_image(tmp_path / "a" / f"{number}.png", good_part(number))
    return tmp_path / "a"


def names(sources: Any) -> list[str]:
    return [Path(source).name for source in sources]


def test_a_string_is_a_folder_a_pattern_or_a_file_and_never_letters(parts: Path) -> None:
    assert names(list_sources(str(parts))) == ["1.png", "2.png", "10.png"]
    assert names(list_sources(parts)) == ["1.png", "2.png", "10.png"]
    assert names(list_sources(f"{parts}/1*.png")) == ["1.png", "10.png"]
    assert names(list_sources(f"{parts}/2.png")) == ["2.png"]
    with pytest.raises(DataError, match="absent does not exist"):
        list_sources("absent")


def test_lists_and_generators_mix_and_are_expanded_in_place(parts: Path) -> None:
    mixed: list[Any] = [parts / "2.png", GREY, str(parts / "1*.png"), parts]
    for given in (mixed, tuple(mixed), iter(mixed)):
        first, array, *rest = list_sources(given)
        assert array is GREY
        assert names([first, *rest]) == ["2.png", "1.png", "10.png", "1.png", "2.png", "10.png"]


def test_a_literal_name_wins_over_a_pattern(tmp_path: Path) -> None:
    path = save_image(tmp_path / "part[1].png", GREY)
    assert list_sources([path]) == [path]


@pytest.mark.parametrize(
    ("shape", "count"),
    [((30, 40), 1), ((30, 40, 3), 1), ((30, 40, 1), 1), ((5, 30, 40, 3), 5), ((2, 30, 40), 2), ((3, 30, 40, 4), 3)],
)
def test_an_array_is_one_image_or_n_of_them(shape: tuple[int, ...], count: int) -> None:
    array = np.zeros(shape, np.uint8)
    sources = list_sources(array)
    assert len(sources) == count
    assert all(read_image(source).shape[:2] == (30, 40) for source in sources)


def test_channels_that_come_first_are_still_refused() -> None:
    (source,) = list_sources(np.zeros((3, 30, 40), np.uint8))
    with pytest.raises(ImageError, match="channels first"):
        read_image(source)


def test_arrays_of_names_or_of_objects_are_lists(parts: Path) -> None:
    paths = sorted(parts.iterdir())
    assert list_sources(np.array([str(path) for path in paths])) == [str(path) for path in paths]
    objects = np.empty(2, object)
    objects[:] = [GREY, paths[0]]
    assert list_sources(objects)[1] == paths[0]


def test_one_image_is_one_image(parts: Path) -> None:
    for one in (GREY, COLOUR, (parts / "1.png").read_bytes(), Image.fromarray(GREY), ("frame 7", GREY)):
        assert len(list_sources(one)) == 1


def test_what_is_no_images_is_refused() -> None:
    with pytest.raises(OptionError, match="but int came"):
        list_sources(7)  # type: ignore[arg-type]


def test_nothing_is_refused_at_once_or_when_a_generator_ends(detector: Detector) -> None:
    nothing: Any
    for nothing in ([], (), np.zeros((0, 30, 40, 3), np.uint8)):
        with pytest.raises(DataError, match=r"No images were given; give a folder"):
            detector.inspect_many(nothing)
    results = detector.inspect_many(iter([]))
    with pytest.raises(DataError, match=r"No images were given; give a folder"):
        next(results)


def test_generators_are_not_read_ahead() -> None:
    taken = []

    def camera() -> Iterator[Any]:
        for number in range(9):
            taken.append(number)
            yield GREY

    sources = each_source(camera())
    next(sources)
    assert taken == [0]


def test_inspect_many_takes_what_the_command_line_takes(detector: Detector, parts: Path) -> None:
    expected = [detector.inspect(path) for path in list_sources(parts)]
    assert list(detector.inspect_many(str(parts))) == expected
    assert list(detector.inspect_many(f"{parts}/*.png")) == expected
    assert list(detector.inspect_many([parts])) == expected
    assert list(detector.inspect_many(path for path in list_sources(parts))) == expected


def test_a_missing_file_in_a_list_is_an_error_of_its_own(detector: Detector, parts: Path) -> None:
    first, second = detector.inspect_many([parts / "absent.png", parts / "1.png"])
    assert (first.verdict is Verdict.ERROR, second.verdict is Verdict.ERROR) == (True, False)
    assert "does not exist" in str(first.error)


def test_the_name_of_a_pair_is_the_result_s_path(detector: Detector, tmp_path: Path) -> None:
    pairs: list[Any] = [("frame 1", GREY), (tmp_path / "frame 2", COLOUR), ("frame 3", b"cut")]
    one, two, three = detector.inspect_many(pairs)
    assert (one.path, two.path, three.path) == ("frame 1", str(tmp_path / "frame 2"), "frame 3")
    assert one.score == two.score == detector.inspect(GREY).score
    assert str(three.error).startswith("frame 3 is not an image")
    assert detector.inspect(("frame 1", GREY)) == one
    assert list(detector.inspect_many({"a": GREY, "b": COLOUR}.items()))[1].path == "b"


def test_messages_name_the_pair(detector: Detector) -> None:
    with pytest.raises(ImageError, match=r"^frame 7, an array of int64 is no image"):
        detector.inspect(("frame 7", GREY.astype(np.int64)))
    with pytest.raises(ImageError, match=r"^frame 7 holds NaN"):
        detector.inspect(("frame 7", np.full((30, 40), np.nan, np.float32)))
    with pytest.raises(ImageError, match="A tuple is no image, unless it is a pair"):
        detector.inspect(("a.png", "b.png"))  # type: ignore[arg-type]


def test_fit_calibrate_add_and_scan_take_them_too() -> None:
    pairs = [(f"good {number}", good_part(number)) for number in range(6)]
    fitted = blemish.fit((pair for pair in pairs), **TINY)
    assert [image.path for image in fitted.model.manifest.images] == [name for name, _ in pairs]
    stacked = blemish.fit(np.stack([image for _, image in pairs]), **TINY)
    assert stacked.threshold == fitted.threshold
    scratched = scratched_part(7).grey
    found = scan([*pairs, ("scratched", scratched)], **TINY)
    assert [result.path for result in found.suspects] in ([], ["scratched"])


def test_arrays_without_names_are_not_taken_for_images_that_the_memory_has_seen() -> None:
    """Every array is called <array>, so calibrating with arrays a model fitted on arrays was refused."""
    fitted = blemish.fit([good_part(number) for number in range(6)], **TINY)
    blemish.calibrate(fitted, [good_part(number) for number in range(50, 60)])
    pairs = [(f"part {number}", good_part(number)) for number in range(6)]
    with pytest.raises(DataError, match="1 of the 2 good images are in the memory"):
        blemish.calibrate(blemish.fit(pairs, **TINY), [("part 3", good_part(3)), ("part 70", good_part(70))])


def test_what_is_kept_stays_whatever_becomes_of_file_or_array(tmp_path: Path) -> None:
    path = save_image(tmp_path / "a.png", GREY)
    array, pillow = COLOUR.copy(), Image.fromarray(GREY)
    kept = [keep(path), keep(array), keep(("named", array)), keep(pillow)]
    path.unlink()
    array[:] = 0
    pillow.paste(0, (0, 0, *pillow.size))
    for source, expected in zip(kept, (GREY, COLOUR, COLOUR, GREY), strict=True):
        np.testing.assert_array_equal(read_image(source), expected)
