"""Every method does what a detector is asked for: fit, inspect, save, load, the command line, evaluation."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parts import good_part, save_image, scratched_part, stained_part
from shell import RunCli

from blemish.data.samples import read_pair
from blemish.detector import Detector, load
from blemish.evaluation.run import evaluate
from blemish.fitting import fit
from blemish.methods.registry import METHODS
from blemish.options.settings import readers
from blemish.result import Verdict

GOOD = [good_part(seed) for seed in range(8)]
SMALL: dict[str, dict[str, Any]] = {
    "patchcore": {"coreset": 60, "size": 64},
    "padim": {"dimensions": 20, "size": 96},
    "spade": {"nearest_images": 3, "size": 64},
    "1-nn": {"size": 96},
}
MAPLESS = ("1-nn",)

each = pytest.mark.parametrize("fitted", SMALL, indirect=True)


@pytest.fixture(scope="module")
def fitted(request: pytest.FixtureRequest) -> Detector:
    return fit(GOOD, method=request.param, folds=2, **SMALL[request.param])


def test_every_method_that_needs_no_torch_is_tried_here() -> None:
    assert METHODS.keys() - SMALL.keys() == set(readers("schedule")), "tests/trained tries those"


@each
def test_defects_score_higher_than_good_parts(fitted: Detector) -> None:
    good = [fitted.inspect(good_part(seed)).score for seed in (100, 101, 102)]
    bad = [fitted.inspect(part.grey).score for part in (scratched_part(103), stained_part(104))]
    assert max(good) < min(bad)


@each
def test_the_map_peaks_on_the_defect_or_is_not_there(fitted: Detector) -> None:
    part = stained_part(104)
    result = fitted.inspect(part.grey)
    if fitted.model.manifest.method in MAPLESS:
        assert (result.anomaly_map, result.mask, result.regions) == (None, None, [])
        return
    assert result.anomaly_map is not None
    assert result.anomaly_map.shape == part.grey.shape
    y, x = np.unravel_index(result.anomaly_map.argmax(), result.anomaly_map.shape)
    box = part.defect
    assert box.x - 16 <= x <= box.x + box.width + 16
    assert box.y - 16 <= y <= box.y + box.height + 16


@each
def test_a_saved_model_answers_bit_for_bit_alike(fitted: Detector, tmp_path: Path) -> None:
    fitted.save(tmp_path / "a.blemish")
    again = load(tmp_path / "a.blemish")
    assert again.info() == fitted.info()
    for part in (good_part(100), scratched_part(103).grey):
        ours, theirs = fitted.inspect(part), again.inspect(part)
        assert (ours.score, ours.nearest, ours.regions) == (theirs.score, theirs.nearest, theirs.regions)
        np.testing.assert_array_equal(ours.anomaly_map, theirs.anomaly_map)
    again.save(tmp_path / "b.blemish")
    assert (tmp_path / "a.blemish").read_bytes() == (tmp_path / "b.blemish").read_bytes()


@each
def test_one_image_and_many_on_any_threads_score_alike(fitted: Detector) -> None:
    parts = [good_part(100), scratched_part(103).grey]
    alone = [fitted.inspect(part).score for part in parts]
    assert [result.score for result in fitted.inspect_many(parts)] == pytest.approx(alone, rel=1e-6)


@each
def test_thresholds_come_from_images_that_were_held_out(fitted: Detector) -> None:
    np.testing.assert_array_equal(fitted.model.held_out.image_M, np.arange(len(GOOD)))
    assert fitted.threshold == fitted.model.held_out.scores_M.max()
    # An image that the method was fitted on scores lower than when it was held out.
    remembered = [fitted.inspect(image).score for image in GOOD]
    assert np.mean(remembered) < np.mean(fitted.model.held_out.scores_M)
    assert all(result.verdict is Verdict.OK for result in fitted.inspect_many(GOOD))


@pytest.mark.parametrize("method", SMALL)
def test_fit_inspect_info_and_evaluate_on_the_command_line(
    method: str, folder: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    options = [text for name, value in SMALL[method].items() for text in (f"--{name.replace('_', '-')}", str(value))]
    path = tmp_path / "part.blemish"
    outcome = run_cli("fit", folder / "fit", "-o", path, "--method", method, *options)
    assert outcome.code == 0, outcome.stderr
    told = json.loads(run_cli("info", path, "--json").stdout)
    assert told["method"] == told["settings"]["method"] == method
    assert ("coreset" in told["settings"]) == (method == "patchcore")
    inspected = run_cli("inspect", path, folder / "line", "--csv", tmp_path / "r.csv", "--overlays", tmp_path / "maps")
    assert inspected.code == 1, inspected.stderr
    for name in ("scratch", "stain"):
        save_image(tmp_path / "bad" / f"{name}.png", (scratched_part if name == "scratch" else stained_part)(105).grey)
    measured = run_cli("evaluate", path, "--good", folder / "fit", "--defective", tmp_path / "bad", "--json")
    assert json.loads(measured.stdout)["auroc"]["value"] == 1


@each
def test_evaluation_measures_pixels_where_there_is_a_map(fitted: Detector, tmp_path: Path) -> None:
    part = stained_part(104)
    save_image(tmp_path / "good" / "a.png", good_part(100))
    save_image(tmp_path / "bad" / "b.png", part.grey)
    mask = np.zeros_like(part.grey)
    box = part.defect
    mask[box.y : box.y + box.height, box.x : box.x + box.width] = 255
    save_image(tmp_path / "masks" / "b.png", mask)
    evaluation = evaluate(fitted, read_pair(tmp_path / "good", tmp_path / "bad", masks=tmp_path / "masks"))
    if fitted.model.manifest.method in MAPLESS:
        assert evaluation.pixels is None
        assert any("because there is no anomaly map" in note for note in evaluation.notes)
    else:
        assert evaluation.pixels is not None
        assert evaluation.pixels.auroc > 0.8
