"""Ensembles of networks: one graph, a bank for each, and scores on one scale."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parts import good_part, scratched_part, stained_part
from test_backbone import small_network, take_in

from blemish.backbones.backbone import load_backbone
from blemish.detector import Detector, load
from blemish.errors import DataError, OptionError
from blemish.features.extract import Extractor
from blemish.features.graph import Grid, build_graph, choose_taps
from blemish.features.side_by_side import side_by_side
from blemish.fitting import fit
from blemish.images.read import probe_image
from blemish.methods.ensemble import Ensemble, spread_of
from blemish.methods.patchcore import PatchCore
from blemish.methods.prepare import good_images
from blemish.options.settings import divide_options

GOOD = [good_part(seed) for seed in range(10)]
PARTS = [good_part(100), scratched_part(103).grey, stained_part(104).grey]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Detector]:
    """The built-in network and a small one of random weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BLEMISH_HOME", str(tmp_path_factory.mktemp("home")))
        take_in(tmp_path_factory.mktemp("made") / "mine.onnx", small_network())
        yield fit(GOOD, method="ensemble", more_backbones="mine", size=64, coreset=60, calibration="cross", folds=2)


def test_graphs_side_by_side_answer_as_they_do_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLEMISH_HOME", str(tmp_path / "home"))
    take_in(tmp_path / "mine.onnx", small_network())
    networks = [load_backbone(name) for name in ("efficientnet_lite0", "mine", "efficientnet_lite0")]
    graphs = [build_graph(each, {"patches": Grid(choose_taps(each, []))}) for each in networks]
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    together = Extractor(side_by_side(graphs), 64, 96)(image)
    assert list(together) == ["patches0", "patches1", "patches2"]
    for number, graph in enumerate(graphs):
        np.testing.assert_allclose(together[f"patches{number}"], Extractor(graph, 64, 96)(image)["patches"], rtol=1e-5)


def test_a_network_beside_itself_scores_as_alone_but_for_the_scale() -> None:
    options: dict[str, Any] = {"size": 64, "coreset": 60, "calibration": "cross", "folds": 2}
    alone = fit(GOOD, **options)
    twice = fit(GOOD, method="ensemble", more_backbones="efficientnet_lite0", **options)
    ours, theirs = ([detector.inspect(part) for part in PARTS] for detector in (twice, alone))
    assert isinstance(twice.model.method, Ensemble)
    scale = twice.model.method.map_scale_E[0]
    np.testing.assert_allclose([result.score * scale for result in ours], [r.score for r in theirs], rtol=1e-5)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.anomaly_map is not None
        assert other.anomaly_map is not None
        np.testing.assert_allclose(mine.anomaly_map * scale, other.anomaly_map, rtol=1e-4)
        assert mine.nearest is not None
        assert other.nearest is not None
        assert (mine.nearest.path, mine.nearest.at) == (other.nearest.path, other.nearest.at)


def test_scores_are_members_scores_over_their_spread_among_held_out_halves(two: Detector) -> None:
    method = two.model.method
    assert isinstance(method, Ensemble)
    kinds = [probe_image(image) for image in GOOD]
    learner = Ensemble.learn(
        good_images(GOOD, kinds, two.model.manifest.settings, divide_options({})[1], size_asked=True)
    )
    for number, member in enumerate(learner.members):
        peaks = []
        for half in (range(5), range(5, 10)):
            others = np.array([image not in half for image in range(10)])
            fitted = member.fit(others).method
            assert isinstance(fitted, PatchCore)
            peaks += [fitted.score(features).peak for features in member.features(member.fit(others), list(half))]
        assert method.map_scale_E[number] == pytest.approx(np.std(peaks), rel=1e-5)


def test_defects_score_higher_and_a_saved_ensemble_answers_alike(two: Detector, tmp_path: Path) -> None:
    good, *bad = (two.inspect(part).score for part in PARTS)
    assert good < min(bad)
    two.save(tmp_path / "a.blemish")
    again = load(tmp_path / "a.blemish")
    assert again.info() == two.info()
    assert [manifest.name for manifest in again.model.manifest.more_backbones] == ["mine"]
    assert [(told["name"], told["licence"]) for told in again.info()["more_backbones"]] == [("mine", "MIT")]
    assert [again.inspect(part).score for part in PARTS] == [two.inspect(part).score for part in PARTS]


def test_what_makes_no_ensemble_is_refused() -> None:
    with pytest.raises(OptionError, match="more_backbones must name 1 to 7 networks"):
        fit(GOOD, method="ensemble", size=64)
    with pytest.raises(OptionError, match="it is read by ensemble only"):
        fit(GOOD, more_backbones="efficientnet_lite0", size=64)
    with pytest.raises(DataError, match="needs at least 4"):
        fit(GOOD[:3], method="ensemble", more_backbones="efficientnet_lite0", size=64)


def test_a_network_of_another_size_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLEMISH_HOME", str(tmp_path / "home"))
    take_in(tmp_path / "mine.onnx", small_network(size=(96, 96)))
    with pytest.raises(OptionError, match="The network mine takes 96x96 only, and the ensemble's input is 48x80"):
        fit(GOOD, method="ensemble", more_backbones="mine", size=64)


def test_a_spread_of_nothing_is_a_size_or_one() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [spread_of(scores) for scores in ([1.0, 3.0], [2.0, 2.0], [0.0, 0.0], [])] == [1.0, 2.0, 1.0, 1.0]
