"""Several looks at every part: one graph, a memory bank each, one scale, one map."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from parts import good_part, save_image, scratched_part
from scipy.special import logsumexp

from blemish.arrays import Array
from blemish.backbones.backbone import load_backbone
from blemish.detector import Detector, load
from blemish.errors import OptionError
from blemish.evaluation.consequences import consequences
from blemish.evaluation.metrics import auroc
from blemish.features.graph import Grid, build_graph, choose_taps
from blemish.features.looks import graph_of, plan_looks
from blemish.features.patches import make_extractor
from blemish.fitting import fit
from blemish.images.probe import ImageKind
from blemish.images.sizing import looks_of_effort
from blemish.memory.choose import coreset_rows
from blemish.methods.look_scale import OVERALL
from blemish.methods.look_tensors import look_of
from blemish.methods.patchcore import PatchCore
from blemish.options.looks import LookOption
from blemish.options.settings import Settings
from blemish.result import Verdict
from blemish.scoring.heatmap import join_maps, join_peaks, map_score, on_scale
from blemish.scoring.score import LEAST

LOOKS = "128:2+3,64:2+3:even,64:3+4"
SEVERAL: dict[str, Any] = {"looks": LOOKS, "coreset": 60, "threads": 2, "progress": False}
SIZED = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return fit([good_part(seed) for seed in range(12)], **SEVERAL)


def grids(graph: bytes, sized: Array) -> dict[str, Array]:
    return make_extractor(graph, *sized.shape[:2])(sized)


@pytest.mark.parametrize("text", ["448:2+3", "224:3:even", "resnet18@320:layer2+layer3"])
def test_a_look_is_written_as_it_is_read(text: str) -> None:
    assert str(LookOption.parse(text)) == text


@pytest.mark.parametrize("looks", ["224", "224:", "banana", "448:2+3,300:3+4", "448:2,448:2", "16:2", "224:2:odd"])
def test_looks_that_cannot_be_are_refused(looks: str) -> None:
    with pytest.raises(OptionError, match=r"Option looks=.*whose sides divide the largest"):
        Settings(looks=looks)


@pytest.mark.parametrize("other", [{"size": 224}, {"taps": "2,3"}, {"tiles": 320}, {"image_score": "max"}])
def test_what_describes_one_look_cannot_be_combined_with_several(other: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="Option looks"):
        Settings(looks=LOOKS, **other)


@pytest.mark.parametrize(
    ("side", "options", "looks"),
    [
        (1024, {}, ["448:2+3", "224:2+3:even", "224:3+4:even"]),
        (1024, {"effort": "quick"}, []),
        (1024, {"size": 224}, []),
        (1024, {"taps": "2,3"}, []),
        (1024, {"preset": "paper"}, []),
        (100, {}, ["224:2+3", "112:2+3:even", "112:3+4:even"]),
        (
            300,
            {"effort": "thorough"},
            [
                "efficientnet_lite2@448:2+3",
                "448:3+4:even",
                "efficientnet_lite2@224:2+3:even",
                "efficientnet_lite2@224:3+4:even",
                "224:3+4:even",
            ],
        ),
        (
            300,
            {"effort": "thorough", "backbone": "mine"},
            ["448:2+3", "448:3+4:even", "224:2+3:even", "224:3+4:even"],
        ),
    ],
)
def test_the_effort_and_the_images_choose_the_looks(side: int, options: dict[str, Any], looks: list[str]) -> None:
    assert looks_of_effort(Settings(**options), [ImageKind(side, side, "uint8")] * 3) == looks


def test_a_smaller_look_sees_the_mean_of_the_pixels() -> None:
    backbone = load_backbone("efficientnet_lite0")
    taps = choose_taps(backbone, [2, 3])
    blocks = np.random.default_rng(1).integers(0, 256, (32, 48, 3), np.uint8)
    large = blocks.repeat(2, axis=0).repeat(2, axis=1)
    reduced = grids(build_graph(backbone, {"patches": Grid(taps)}, reduction=2), large)["patches"]
    np.testing.assert_allclose(
        reduced, grids(build_graph(backbone, {"patches": Grid(taps)}), blocks)["patches"], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("dark", [1, 8])
def test_an_even_look_does_not_see_brightness_and_contrast(dark: int) -> None:
    backbone = load_backbone("efficientnet_lite0")
    graph = build_graph(backbone, {"patches": Grid(choose_taps(backbone, [2]))}, even=True)
    image = np.random.default_rng(2).normal(120, 30, (64, 64, 1)).clip(1, 254).astype(np.uint8).repeat(3, axis=2)
    darker = (image // dark).astype(np.uint8)
    values = darker.astype(np.float64)
    even = np.clip((values - values.mean()) / max(values.std(), 4) * 40 + 127, 0, 255)
    plain = build_graph(backbone, {"patches": Grid(choose_taps(backbone, [2]))}, pixels="uint16")
    wanted = grids(plain, np.rint(even * 257).astype(np.uint16))["patches"]
    np.testing.assert_allclose(grids(graph, darker)["patches"], wanted, rtol=0.02, atol=0.02)


def test_an_even_look_forgives_a_runtime_that_adds_up_badly() -> None:
    """OpenVINO's mean of 150,000 pixels was off by 9e-5 of it, and its patches by 1.6e-4."""
    settings, backbone = Settings(looks="64:2+3:even"), load_backbone("efficientnet_lite0")
    graph = graph_of(plan_looks(settings, backbone), settings, "uint8")
    wrong = onnx.load_from_string(graph)
    for mean in [node for node in wrong.graph.node if node.op_type == "ReduceMean"]:
        name, mean.output[0] = mean.output[0], f"{mean.output[0]}/exact"
        at = list(wrong.graph.node).index(mean) + 1
        wrong.graph.node.insert(at, onnx.helper.make_node("Mul", [mean.output[0], "off"], [name]))
    wrong.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(1.0001), "off"))
    right, other = grids(graph, SIZED)["patches"], grids(wrong.SerializeToString(), SIZED)["patches"]
    assert 0 < np.abs(right - other).max() < 1e-5 * np.abs(right).max()


def test_looks_that_share_a_network_keep_its_weights_once() -> None:
    settings, backbone = Settings(looks=LOOKS), load_backbone("efficientnet_lite0")
    one = graph_of(plan_looks(Settings(taps="2,3,4"), backbone), settings, "uint8")
    several = graph_of(plan_looks(settings, backbone), settings, "uint8")
    assert len(several) < 1.2 * len(one)
    assert set(grids(several, SIZED)) == {"patches0", "patches1", "patches2"}


@pytest.mark.parametrize("rule", ["soft", "largest", "mean"])
def test_maps_and_peaks_join_on_one_scale(rule: Any) -> None:
    maps = list(np.random.default_rng(3).normal(5, 2, (3, 4, 5)).astype(np.float32))
    scales, weights = [(4.0, 1.5), (5.0, 2.0), (6.0, 0.5)], [1, 0.5, 0.25]
    scaled = np.stack([(np.float64(m) - mean) / deviation for m, (mean, deviation) in zip(maps, scales, strict=True)])
    mean = np.average(scaled, axis=0, weights=weights)
    wanted = {"soft": logsumexp(scaled, axis=0), "largest": scaled.max(axis=0), "mean": mean}[rule]
    joined = join_maps([on_scale(m, scale) for m, scale in zip(maps, scales, strict=True)], weights, rule)
    np.testing.assert_allclose(joined, wanted, rtol=1e-5, atol=1e-5)
    assert join_peaks(scaled[:, 1, 2].tolist(), weights, rule) == pytest.approx(float(wanted[1, 2]), rel=1e-12)


def test_a_single_map_stays_as_it_is() -> None:
    map_HW = np.random.default_rng(4).normal(5, 2, (4, 5)).astype(np.float32)
    assert on_scale(map_HW, (0.0, 1.0)) is map_HW


def test_what_is_a_little_strange_all_over_scores_more_than_its_peak() -> None:
    map_HW = np.random.default_rng(5).random((40, 50), np.float32)
    assert map_score(map_HW, 0) == map_HW.max()
    wanted = float(map_HW.max()) + 0.75 * float(map_HW.astype(np.float64).mean())
    assert map_score(map_HW, 0.75) == pytest.approx(wanted, rel=1e-12)


def test_no_distance_is_below_every_score(detector: Detector) -> None:
    """A copy of nothing but rows of the bank would have this score, and this value in all its map."""
    method = detector.model.method
    assert isinstance(method, PatchCore)
    score, pixel = method.zero
    result = detector.inspect(good_part(0))
    assert score < result.score
    assert result.anomaly_map is not None
    assert pixel <= result.anomaly_map.min()
    flat = method.with_looks([replace(look, peak_scale=look.scale) for look in method.looks])
    weights = [look.weight for look in method.looks]
    assert flat.zero[0] == join_peaks([-look.scale[0] / look.scale[1] for look in method.looks], weights, "mean")


def test_a_look_of_an_earlier_file_counts_the_peak_alone(detector: Detector) -> None:
    method = detector.model.method
    assert isinstance(method, PatchCore)
    look = method.looks[0]
    assert look.overall == OVERALL
    tensors = look.tensors(0)
    del tensors["look.overall"]
    assert look_of(tensors, 0, method.settings, method.transform, 1).overall == 0


def test_several_looks_find_the_defect_and_show_it(detector: Detector) -> None:
    assert isinstance(detector.model.method, PatchCore)
    assert len(detector.model.method.looks) == 3
    good = [detector.inspect(good_part(seed)) for seed in range(100, 106)]
    bad = [detector.inspect(scratched_part(seed).grey) for seed in range(200, 206)]
    assert auroc([result.score for result in good + bad], [0] * 6 + [1] * 6) == 1
    assert {result.verdict for result in bad} == {Verdict.NG}
    assert all("above the threshold" in result.score_in_words for result in bad), "deviations have no multiples"
    assert all(math.isnan(result.times_threshold) for result in good + bad)
    region = bad[0].regions[0]
    defect = scratched_part(200).defect
    assert region.box.x < defect.x + defect.width
    assert region.box.x + region.box.width > defect.x
    assert bad[0].anomaly_map is not None
    assert bad[0].anomaly_map.shape == (96, 144)
    # The peak of the map lies on the defect.
    y, x = np.unravel_index(bad[0].anomaly_map.argmax(), bad[0].anomaly_map.shape)
    assert defect.x - 4 <= x <= defect.x + defect.width + 4
    assert defect.y - 4 <= y <= defect.y + defect.height + 4


def test_good_parts_may_be_taught_without_doubt_and_defects_are_doubted(detector: Detector) -> None:
    """Multiples of the threshold said nothing of deviations, which may lie below zero."""
    good = max((good_part(seed) for seed in range(100, 106)), key=lambda part: detector.inspect(part).score)
    found = consequences(detector, detector, [good, scratched_part(200).grey])
    assert [result.verdict for result in found.suspicious] == [Verdict.NG]


def test_the_model_file_keeps_every_look(detector: Detector, tmp_path: Path) -> None:
    detector.save(tmp_path / "part.blemish")
    again = load(tmp_path / "part.blemish", threads=2)
    assert again.model.version == detector.model.version
    assert again.inspect(scratched_part(1).grey) == detector.inspect(scratched_part(1).grey)
    assert again.info()["looks"].keys() == set(LOOKS.split(","))
    assert list(again.info()["settings"]["looks"]) == LOOKS.split(",")


def test_scores_are_divided_by_how_far_good_patches_usually_lie(detector: Detector) -> None:
    """Rows that other rows surround and good patches seldom come near to are not raised by more than a factor of 2."""
    method = detector.model.method
    assert isinstance(method, PatchCore)
    for look in method.looks:
        scale_K = look.bank.scale_K
        assert scale_K is not None
        assert scale_K.shape == look.bank.image_K.shape
        assert LEAST <= scale_K.min() < 1 < scale_K.max()
        few = look.without([0, 1])
        assert few is not None
        assert few.bank.scale_K is not None
        assert np.array_equal(few.bank.scale_K, scale_K[~np.isin(look.bank.image_K, [0, 1])])


def test_a_look_that_was_named_is_brought_to_scale_and_a_plain_one_is_not() -> None:
    images = [good_part(seed) for seed in range(8)]
    named = fit(images, looks="64:2+3", threads=2, progress=False).model.method
    plain = fit(images, size=64, taps="2,3", threads=2, progress=False).model.method
    assert isinstance(named, PatchCore)
    assert isinstance(plain, PatchCore)
    assert [look.bank.scale_K is None for look in (named.looks[0], plain.looks[0])] == [False, True]
    assert named.looks[0].scale == plain.looks[0].scale == (0.0, 1.0)


def test_threads_change_nothing(detector: Detector) -> None:
    alone = fit([good_part(seed) for seed in range(12)], **SEVERAL | {"threads": 1})
    assert alone.threshold == detector.threshold
    assert alone.inspect(good_part(50)).score == detector.inspect(good_part(50)).score


def test_what_is_added_is_ok_and_undone_to_the_last_bit(detector: Detector, tmp_path: Path) -> None:
    marked = []
    for seed in range(60, 63):
        plate = good_part(seed)
        plate[60:76, 104:132] = 200
        marked.append(save_image(tmp_path / f"{seed}.png", plate))
    assert {detector.inspect(path).verdict for path in marked} == {Verdict.NG}
    taught = detector.add(marked)
    for path in marked:
        result = taught.inspect(path)
        assert (result.verdict, result.regions) == (Verdict.OK, [])
    assert taught.inspect(scratched_part(7).grey).verdict is Verdict.NG
    removed = taught.remove([marked[0], 3])
    assert len(removed.model.manifest.images) == 13
    removed.save(tmp_path / "taught.blemish")
    again = load(tmp_path / "taught.blemish")
    assert again.model.version == removed.model.version
    assert again.undo().undo().model.version == detector.model.version


def test_copies_of_one_part_count_once() -> None:
    """A memory that had seen a twin of every image would set its threshold at nothing."""
    twins = fit([good_part(seed) for seed in (1, 1, 2, 2, 3, 3)], **SEVERAL)
    assert twins.model.manifest.calibration.groups == 3


@pytest.mark.parametrize(
    ("patches", "coreset", "rows"),
    [(600_000, 0.01, 3000), (150_000, 0.01, 1500), (20_000, 0.01, 1000), (500, 0.01, 500), (600_000, 5000, 5000)],
)
def test_a_share_gives_each_of_several_looks_a_bounded_bank(patches: int, coreset: float, rows: int) -> None:
    assert coreset_rows(patches, coreset, several_looks=True) == rows


def test_the_bound_holds_in_a_fit() -> None:
    looks = fit([good_part(seed) for seed in range(6)], looks=LOOKS, threads=2, progress=False).model.method
    assert isinstance(looks, PatchCore)
    # Grids of 16 x 24, 8 x 12 and 4 x 6: the small looks have fewer patches than the least number of rows and keep all.
    assert [len(look.bank.rows_KD) for look in looks.looks] == [1000, 576, 144]


def test_the_part_is_not_shrunk_to_fit_the_unit_of_several_looks() -> None:
    """A strip of 460 x 1130 became 256 x 629 pixels in place of 287 x 704, and lost 0.6 points of image AUROC."""
    images = [np.random.default_rng(seed).integers(0, 256, (230, 565), np.uint8) for seed in range(3)]
    transform = fit(images, effort="standard", threads=2, progress=False).model.manifest.transform
    assert (transform.height, transform.width) == (320, 704)
