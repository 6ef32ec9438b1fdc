"""An export answers what its model does, within 1e-5: every score and look, odd images, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from parts import TINY, good_part, scratched_part, stained_part

import blemish.export.nearest
from blemish.arrays import Array
from blemish.detector import Detector
from blemish.errors import BlemishError, OptionError
from blemish.export.artefact import Artefact
from blemish.export.compare import Judged, Tally, apart, compare
from blemish.export.exporting import export_bytes
from blemish.export.graph import REASONS, export_graph
from blemish.fitting import fit
from blemish.language.translation import translated
from blemish.methods.patchcore import PatchCore
from blemish.result import Verdict

PARTS = [good_part(100), scratched_part(102).grey, stained_part(103).grey]
ODD = [
    good_part(104, 100, 60),
    good_part(105, 40, 200),
    good_part(106, 1, 144),
    good_part(107, 96, 1),
    np.repeat(good_part(108)[:, :, None], 3, axis=2),
    good_part(109, 13, 17),
    np.zeros((96, 144), np.uint8),
]


def exported(detector: Detector, folder: Path) -> Artefact:
    path = folder / "part.onnx"
    path.write_bytes(export_bytes(detector.model))
    return Artefact.load(path, threads=1)


def with_settings(detector: Detector, **changed: Any) -> Detector:
    """The same memory, scored in another way."""
    method = detector.model.method
    assert isinstance(method, PatchCore)
    method = replace(method, settings=method.settings.model_copy(update=changed))
    return detector.with_model(replace(detector.model, method=method))


@pytest.mark.parametrize("score", ["peak", "max", "top", "reweighted"])
def test_every_image_score_agrees_on_odd_images(detector: Detector, tmp_path: Path, score: str) -> None:
    detector = with_settings(detector, image_score=score)
    found = compare(detector, exported(detector, tmp_path), [*PARTS, *ODD])
    assert found.images == len(PARTS) + len(ODD)
    assert found.good, found


@pytest.mark.parametrize("kept", [np.float32, np.float16])
def test_a_bank_that_is_read_twice_is_in_the_file_once(detector: Detector, kept: type) -> None:
    again = with_settings(detector, image_score="reweighted")
    method = again.model.method
    assert isinstance(method, PatchCore)
    look = method.looks[0]
    bank = replace(look.bank, rows_KD=look.bank.rows_KD.astype(kept))
    model = replace(again.model, method=method.with_looks([look.over(bank)]))
    graph = onnx.load_from_string(export_bytes(model)).graph
    shapes = [tuple(constant.dims) for constant in graph.initializer]
    assert shapes.count(bank.rows_KD.shape) == 1


def test_no_constant_is_mostly_zeros(folder: Path) -> None:
    """Matrices that draw maps are a band, and the band alone is in the file."""
    detector = fit(folder / "fit", threads=1, effort="standard", coreset=60, progress=False)
    graph = onnx.load_from_string(export_bytes(detector.model)).graph
    large = [each for each in map(onnx.numpy_helper.to_array, graph.initializer) if each.size >= 10_000]
    assert all(np.count_nonzero(each) > 0.5 * each.size for each in large)


def test_nearest_rows_and_regions_agree(detector: Detector, tmp_path: Path) -> None:
    artefact = exported(detector, tmp_path)
    colours = np.stack([good_part(1), good_part(2), good_part(3)], axis=2)
    for part in [*PARTS, colours]:
        ours, theirs = detector.inspect(part), artefact.inspect(part)
        assert ours.matches is not None
        assert theirs.matches is not None
        assert np.array_equal(ours.matches.cell_Q, theirs.matches.cell_Q)
        assert [region.box for region in ours.regions] == [region.box for region in theirs.regions]
        assert ours.nearest is not None
        assert theirs.nearest is not None
        assert (ours.nearest.path, ours.nearest.x) == (theirs.nearest.path, theirs.nearest.x)
        assert ours.percentile == theirs.percentile
        assert ours.model == theirs.model


@pytest.mark.parametrize("rows", [7, 60])
def test_a_bank_compared_in_several_parts_agrees(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(blemish.export.nearest, "CHUNK", rows)
    assert compare(detector, exported(detector, tmp_path), PARTS).good


def test_equal_rows_are_told_by_the_lowest_number_and_a_known_patch_is_at_distance_zero(
    detector: Detector, tmp_path: Path
) -> None:
    method = detector.model.method
    assert isinstance(method, PatchCore)
    look = method.looks[0]
    twice = look.over(look.bank.rows_at(np.repeat(np.arange(len(look.bank.rows_KD)), 2)))
    doubled = detector.with_model(replace(detector.model, method=method.with_looks([twice])))
    artefact = exported(doubled, tmp_path)
    for part in [*PARTS, good_part(0)]:
        ours, theirs = doubled.inspect(part).matches, artefact.inspect(part).matches
        assert ours is not None
        assert theirs is not None
        assert np.array_equal(ours.distance_Q == 0, theirs.distance_Q == 0)
    assert compare(doubled, artefact, [*PARTS, good_part(0)]).good


FITS: dict[str, dict[str, Any]] = {
    "looks": {"size": "auto", "looks": ["128:2+3", "64:2+3:even", "64:3+4"], "join": "soft"},
    "tiles": {"size": (160, 240), "tiles": 136, "taps": [2]},
    "ignored": {"ignore": ["100,5,30x30"]},
    "half rows": {"bank_type": "float16"},
    "padim": {"method": "padim", "coreset": None, "dimensions": 30},
    "1-nn": {"method": "1-nn", "coreset": None},
}


SLOW = {"tiles", "half rows", "padim"}


@pytest.mark.parametrize(
    "options",
    [pytest.param(each, id=name, marks=pytest.mark.slow if name in SLOW else ()) for name, each in FITS.items()],
)
def test_every_kind_of_model_agrees(folder: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    wanted = {name: value for name, value in {**TINY, **options}.items() if value is not None}
    detector = fit(folder / "fit", threads=1, **wanted)
    assert compare(detector, exported(detector, tmp_path), PARTS).good


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["largest", "mean"])
def test_other_ways_to_join_looks_agree(folder: Path, tmp_path: Path, rule: str) -> None:
    looks = fit(folder / "fit", threads=1, **TINY | {"size": "auto", "looks": ["64:2+3", "32:2+3"], "join": rule})
    assert compare(looks, exported(looks, tmp_path), PARTS).good


@pytest.mark.parametrize("to", [lambda p: p.astype(np.uint16) * 257, lambda p: p.astype(np.float32) / 7])
def test_other_pixels_agree(tmp_path: Path, to: Callable[[Array], Array]) -> None:
    detector = fit([to(good_part(seed)) for seed in range(6)], threads=1, **TINY)
    artefact = exported(detector, tmp_path)
    assert compare(detector, artefact, [to(part) for part in PARTS]).good
    with pytest.raises(BlemishError, match="pixels, but the model was fitted on"):
        artefact.inspect(PARTS[0])


def test_turned_images_agree(detector: Detector, tmp_path: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stained_part(1).grey).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    assert compare(detector, exported(detector, tmp_path), [tmp_path / "turned.jpg"]).good


def test_operators_are_standard_ones_and_weights_are_inside(detector: Detector) -> None:
    graph = export_graph(detector.model).graph
    assert {node.domain for node in graph.graph.node} <= {"", "ai.onnx"}
    assert not any(each.external_data for each in graph.graph.initializer)
    onnx.checker.check_model(graph, full_check=True)


def test_what_has_no_operators_is_refused_with_the_reason(folder: Path, detector: Detector) -> None:
    spade = fit(folder / "fit", threads=1, size=96, method="spade")
    with pytest.raises(OptionError, match="of the method spade cannot be exported: it compares"):
        export_bytes(spade.model)
    with pytest.raises(OptionError, match="approximate search cannot be exported: it needs faiss"):
        export_bytes(with_settings(detector, search="approximate").model)


@pytest.mark.parametrize("method", REASONS)
def test_the_reasons_are_there_in_japanese(method: str) -> None:
    said = translated(f"A model of the method {method} cannot be exported: {REASONS[method]}.")
    assert REASONS[method] not in said


def test_differences_are_relative_and_what_is_not_looked_at_must_be_the_same() -> None:
    ours = np.array([1, 4, np.nan], np.float32)
    assert apart(ours, np.array([1, 2, np.nan], np.float32)) == 0.5
    assert apart(ours, np.array([1, 4, 4], np.float32)) == np.inf


def test_scores_around_zero_are_counted_from_no_distance() -> None:
    """Rounding of 1e-6 beside a score of 0.001 made `--check` of sound exports fail."""
    for zero, wanted in ((0.0, 1e-3), (-10.0, 1e-7)):
        tally = Tally((zero, 0.0))
        ours = Judged(0.001, None, Verdict.OK)
        tally.add("part", ours, ours._replace(score=0.001 + 1e-6))
        assert tally.found().score == pytest.approx(wanted, rel=1e-2)


def test_the_command_compares(folder: Path, model: Path, tmp_path: Path, run_cli: Any) -> None:
    ended = run_cli("export", model, "-o", tmp_path / "p.onnx", "--check", str(folder / "line"))
    assert ended.code == 0, ended
    assert "4 images: scores differ by at most" in ended.stderr
    assert "0 verdicts" in ended.stderr
