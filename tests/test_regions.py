"""Blobs whose outlines can be seen on paper."""

import numpy as np

from blemish.result import Box, Region
from blemish.scoring.heatmap import find_regions


def test_regions_have_box_area_score_and_outline() -> None:
    image_map = np.zeros((10, 14), np.float32)
    image_map[2:5, 3:8] = 2
    image_map[3, 5] = 7
    image_map[8, 12] = 9
    mask, regions = find_regions(image_map, 1.0)
    np.testing.assert_array_equal(mask, image_map > 1)
    assert mask.dtype == np.bool_
    assert regions[0] == Region(Box(12, 8, 1, 1), 1, 9.0, [(12, 8)])
    assert (regions[1].box, regions[1].area, regions[1].score) == (Box(3, 2, 5, 3), 15, 7.0)
    assert sorted(regions[1].outline) == [(3, 2), (3, 4), (7, 2), (7, 4)]
    assert len(regions) == 2


def test_corners_connect() -> None:
    image_map = np.eye(5, dtype=np.float32)
    _, regions = find_regions(image_map, 0.5)
    assert [(region.box, region.area) for region in regions] == [(Box(0, 0, 5, 5), 5)]


def test_blobs_with_crossing_boxes_stay_apart() -> None:
    image_map = np.zeros((7, 7), np.float32)
    image_map[0, :], image_map[:, 0] = 1, 1
    image_map[3, 3] = 5
    _, regions = find_regions(image_map, 0.5)
    assert [(region.score, region.area) for region in regions] == [(5.0, 1), (1.0, 13)]


def test_a_region_with_a_hole_is_outlined_from_outside() -> None:
    image_map = np.ones((5, 5), np.float32)
    image_map[2, 2] = 0
    _, regions = find_regions(image_map, 0.5)
    assert len(regions) == 1
    assert regions[0].area == 24
    assert sorted(regions[0].outline) == [(0, 0), (0, 4), (4, 0), (4, 4)]


def test_nan_is_never_above() -> None:
    image_map = np.full((4, 6), np.nan, np.float32)
    mask, regions = find_regions(image_map, -1.0)
    assert not mask.any()
    assert regions == []
    image_map[1, 2] = 3
    mask, regions = find_regions(image_map, 1.0)
    assert np.argwhere(mask).tolist() == [[1, 2]]
    assert regions[0].score == 3


def test_the_threshold_itself_is_not_above() -> None:
    mask, regions = find_regions(np.ones((3, 3), np.float32), 1.0)
    assert not mask.any()
    assert regions == []


def test_a_lower_extent_outlines_more_of_what_passes_the_threshold_and_adds_nothing() -> None:
    image_map = np.zeros((9, 20), np.float32)
    image_map[2:7, 2:8] = 2
    image_map[4, 4] = 5
    image_map[1:5, 12:18] = 2
    image_map[8, 8] = np.nan
    mask, regions = find_regions(image_map, 3.0, 1.0)
    assert [(region.box, region.area, region.score) for region in regions] == [(Box(2, 2, 6, 5), 30, 5.0)]
    np.testing.assert_array_equal(np.argwhere(mask).min(axis=0), (2, 2))
    np.testing.assert_array_equal(np.argwhere(mask).max(axis=0), (6, 7))
    assert find_regions(image_map, 3.0)[0].sum() == 1
    assert not find_regions(image_map, 5.0, 1.0)[0].any()


def test_where_all_of_an_image_deviates_regions_draw_in_towards_their_peak() -> None:
    """One blob of level 2 holds two peaks, of 9 and 5: with a rise of 3 each has an outline of its own."""
    image_map = np.full((9, 30), 2, np.float32)
    image_map[3:6, 3:8] = [[6], [9], [6]]
    image_map[4, 20:23] = 5
    image_map[4, 26] = 4.5
    mask, regions = find_regions(image_map, 4.0, 1.0)
    assert mask.all()
    assert len(regions) == 1
    mask, regions = find_regions(image_map, 4.0, 1.0, 3.0)
    assert [(region.score, region.area) for region in regions] == [(9, 15), (5, 3), (4.5, 1)]
    np.testing.assert_array_equal(mask, image_map > 4)


def test_no_region_draws_in_to_nothing() -> None:
    """However high the rise, what lies within three tenths of the way below the peak stays."""
    image_map = np.array([[2, 10, 7.4, 7.2, 2]], np.float32)
    mask, regions = find_regions(image_map, 4.0, 1.0, 1e6)
    np.testing.assert_array_equal(mask, [[False, True, True, False, False]])
    assert [region.score for region in regions] == [10]


def test_a_peak_below_the_threshold_stays_without_region_when_its_blob_falls_apart() -> None:
    image_map = np.array([[6, 2, 3.5, 2, 2]], np.float32)
    mask, regions = find_regions(image_map, 4.0, 1.0, 2.0)
    np.testing.assert_array_equal(mask, [[True, False, False, False, False]])
    assert len(regions) == 1
