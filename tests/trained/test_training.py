"""The training loop on a toy, and all three methods on a dozen drawn parts."""

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parts import good_part, save_image, scratched_part
from shell import RunCli

import blemish
from blemish.arrays import Array
from blemish.detector import Detector
from blemish.errors import BackboneError, ModelFileError, OptionError, TrainingError

torch = pytest.importorskip("torch", reason="needs the [torch] extra")
pytestmark = pytest.mark.torch

METHODS = ["differnet", "ganomaly", "cavga"]
GOOD = [good_part(seed) for seed in range(12)]


def fit(method: str, **options: Any) -> Detector:
    settings: dict[str, Any] = {"method": method, "size": 64, "epochs": 3, "threads": 1}
    return blemish.fit(GOOD, **settings | options)


@pytest.fixture(scope="module")
def detectors() -> dict[str, Detector]:
    return {method: fit(method) for method in METHODS}


class Slope:
    """Learns one number, 2, from pairs; `disturb` may spoil a step."""

    epochs, batch = 5, 4

    def __init__(self, disturb: Callable[["Slope", int], float | None] = lambda slope, step: None) -> None:
        self.network = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(self.network.weight)
        self.networks = {"slope": self.network}
        self.optimizers = {"slope/adam": torch.optim.Adam(self.network.parameters(), lr=0.1)}
        self.data = np.arange(1, 9, dtype=np.float32)[:, None]
        self.tensors: dict[str, Array] = {}
        self.disturb, self.steps = disturb, 0

    def step(self, images: Any, generator: Any) -> float:
        x = torch.from_numpy(self.data[images.numpy()]) + torch.randn(len(images), 1, generator=generator) / 10
        loss = ((self.network(x) - 2 * x) ** 2).mean()
        self.optimizers["slope/adam"].zero_grad()
        loss.backward()
        self.optimizers["slope/adam"].step()
        self.steps += 1
        disturbed = self.disturb(self, self.steps)
        return loss.item() if disturbed is None else disturbed

    def graph(self, good: Any) -> bytes:
        raise NotImplementedError


def train(slope: Slope, **options: Any) -> list[float]:
    from blemish.methods.trained.train import Plan, train

    return train(slope, Plan(epochs=options.pop("epochs", 5), batch=4, seed=0, threads=1), **options)


def test_training_comes_nearer_and_tells_each_epoch() -> None:
    told: list[tuple[str, int, int]] = []
    losses = train(Slope(), progress=lambda *step: told.append(step))
    assert losses[-1] < losses[0]
    assert told == [("train", epoch, 5) for epoch in range(1, 6)]


def test_training_leaves_torch_as_it_was() -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    wanted = torch.rand(2)
    slope = Slope()
    torch.manual_seed(5)
    train(slope)
    assert torch.equal(torch.rand(2), wanted)
    assert torch.get_num_threads() == threads


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    from blemish.methods.trained.checkpoint import Checkpoint

    whole, first, second = Slope(), Slope(), Slope()
    losses = train(whole)
    checkpoint = Checkpoint(tmp_path / "state", "slope")
    train(first, checkpoint=checkpoint, epochs=2)
    assert train(second, checkpoint=checkpoint) == losses
    assert second.steps == whole.steps - first.steps
    assert torch.equal(second.network.weight, whole.network.weight)


def spoil_weight(slope: Slope, step: int) -> None:
    if step == 6:
        slope.network.weight.data.fill_(math.inf)


@pytest.mark.parametrize("disturb", [lambda slope, step: math.nan if step == 5 else None, spoil_weight])
def test_divergence_names_its_epoch_and_keeps_the_one_before(
    tmp_path: Path, disturb: Callable[[Slope, int], float | None]
) -> None:
    from blemish.methods.trained.checkpoint import Checkpoint

    checkpoint = Checkpoint(tmp_path / "state", "slope")
    with pytest.raises(TrainingError, match=r"diverged in epoch 3 .*after epoch 2 is kept in .*state.*epochs=2"):
        train(Slope(disturb), checkpoint=checkpoint)
    kept, wanted = Slope(), Slope()
    assert train(kept, checkpoint=checkpoint, epochs=2) == train(wanted, epochs=2)
    assert torch.equal(kept.network.weight, wanted.network.weight)


def test_divergence_at_once_keeps_nothing() -> None:
    with pytest.raises(TrainingError, match=r"diverged in epoch 1 \(its loss is not finite\); check the images"):
        train(Slope(lambda slope, step: math.inf))


def test_fewer_epochs_than_are_kept_are_refused(tmp_path: Path) -> None:
    from blemish.methods.trained.checkpoint import Checkpoint

    train(Slope(), checkpoint=Checkpoint(tmp_path / "state", "slope"), epochs=3)
    with pytest.raises(OptionError, match=r"epochs=2 asks for less than the 3 epochs in .*state"):
        train(Slope(), checkpoint=Checkpoint(tmp_path / "state", "slope"), epochs=2)


def test_a_foreign_or_damaged_state_is_refused(tmp_path: Path) -> None:
    from blemish.methods.trained.checkpoint import Checkpoint

    path = tmp_path / "state"
    train(Slope(), checkpoint=Checkpoint(path, "slope"), epochs=1)
    with pytest.raises(ModelFileError, match=r"state keeps the training of another model .* delete it"):
        train(Slope(), checkpoint=Checkpoint(path, "another"))
    path.write_bytes(b"no state")
    with pytest.raises(ModelFileError, match=r"state is no training state, or it is damaged"):
        train(Slope(), checkpoint=Checkpoint(path, "slope"))


@pytest.mark.parametrize("method", METHODS)
def test_a_scratch_scores_above_good_parts_after_three_epochs_of_features(
    method: str, detectors: dict[str, Detector]
) -> None:
    detector = detectors[method]
    good = [detector.inspect(good_part(seed)).score for seed in range(50, 54)]
    assert all(math.isfinite(score) and score > 0 for score in good)
    if method == "differnet":  # the others draw little in three epochs
        assert detector.inspect(scratched_part(7).grey).score > max(good)
    assert detector.info()["training"]["epochs"] == 3
    assert detector.manifest.calibration.images == 3


@pytest.mark.parametrize("method", METHODS)
def test_interruption_and_seed(method: str, detectors: dict[str, Detector], tmp_path: Path) -> None:
    state = tmp_path / "state"

    def stop(step: str, done: int, total: int) -> None:
        if (step, done) == ("train", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(method, checkpoint=state, progress=stop)
    assert state.exists()
    told: list[tuple[str, int, int]] = []
    resumed = fit(method, checkpoint=state, progress=lambda *step: told.append(step))
    assert [step for step in told if step[0] == "train"] == [("train", 3, 3)]
    assert resumed.model.graph == detectors[method].model.graph


def test_seeds_decide(detectors: dict[str, Detector]) -> None:
    assert fit("ganomaly").model.graph == detectors["ganomaly"].model.graph
    assert fit("ganomaly", seed=1).model.graph != detectors["ganomaly"].model.graph


def test_cross_fitting_is_refused() -> None:
    with pytest.raises(OptionError, match="calibration=cross cannot be used with the method ganomaly"):
        fit("ganomaly", calibration="cross")


def test_the_command_line_goes_on_where_it_was_stopped(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from blemish.methods.trained.ganomaly import GANomalyTrainee

    for number, part in enumerate(GOOD):
        save_image(tmp_path / "good" / f"{number:02}.png", part)
    command = ["fit", tmp_path / "good", "-o", tmp_path / "part.blemish", "--method", "ganomaly"]
    command += ["--size", "64", "--epochs", "3", "--threads", "1"]
    steps = iter(range(100))
    step = GANomalyTrainee.step

    def stopped(*given: Any) -> float:
        if next(steps) == 2:
            raise KeyboardInterrupt
        return step(*given)

    with monkeypatch.context() as patch:
        patch.setattr(GANomalyTrainee, "step", stopped)
        first = run_cli(*command)
    assert first.code == 2
    assert "part.blemish.training keeps the training so far, and the same command goes on from there" in first.stderr
    second = run_cli(*command)
    assert second.code == 0, second.stderr
    assert "3 epochs, last loss" in second.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good", "part.blemish"]


def test_divergence_of_a_method_can_be_stepped_back_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from blemish.methods.trained.ganomaly import GANomalyTrainee

    steps = iter(range(100))
    step = GANomalyTrainee.step
    with monkeypatch.context() as patch:
        patch.setattr(GANomalyTrainee, "step", lambda *given: math.nan if next(steps) == 1 else step(*given))
        with pytest.raises(TrainingError, match="epoch 2"):
            fit("ganomaly", checkpoint=tmp_path / "state")
    stepped_back = fit("ganomaly", checkpoint=tmp_path / "state", epochs=1)
    assert stepped_back.model.graph == fit("ganomaly", epochs=1).model.graph


INSPECT = """
import sys
sys.modules["torch"] = None
import blemish
for path in sys.argv[2:]:
    print(repr(blemish.load(sys.argv[1]).inspect(path).score))
assert not any(name.startswith(("torch", "timm", "onnxscript")) and sys.modules[name] for name in sys.modules)
"""


@pytest.mark.parametrize("method", METHODS)
def test_inspection_needs_no_torch(method: str, detectors: dict[str, Detector], tmp_path: Path) -> None:
    detector = detectors[method]
    detector.save(tmp_path / "part.blemish")
    paths = [save_image(tmp_path / "good.png", good_part(80)), save_image(tmp_path / "ng.png", scratched_part(81).grey)]
    arguments = [sys.executable, "-c", INSPECT, str(tmp_path / "part.blemish"), *map(str, paths)]
    printed = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    wanted = [detector.inspect(path).score for path in paths]
    np.testing.assert_allclose([float(line) for line in printed.split()], wanted, rtol=1e-4)


@pytest.mark.parametrize("method", ["ganomaly", "cavga"])
def test_the_graph_answers_as_the_trained_network_does(method: str) -> None:
    from blemish.features.patches import make_extractor
    from blemish.images.transform import Transform
    from blemish.methods.trained import cavga, ganomaly
    from blemish.methods.trained.answer import planes, traced_graph

    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 64, 3), dtype=np.uint8)
    transform = Transform(height=32, width=64, resize="stretch")
    image = planes(pixels[:1])
    if method == "ganomaly":
        judge: Any = ganomaly.Answer(ganomaly.GANomalyTrainee(pixels, ganomaly.Schedule(1, 2, 8), seed=0).generator)
        graph, image = traced_graph(judge, transform, mean=0.5, std=0.5), image * 2 - 1
    else:
        judge = cavga.Answer(cavga.CAVGATrainee(pixels, cavga.Schedule(1, 2, 8), weights=None, seed=0).autoencoder)
        graph = traced_graph(judge, transform, mean=0.0, std=1.0)
    answers = make_extractor(graph, 32, 64)(pixels[0])
    with torch.no_grad():
        wanted = judge.eval()(image)
    for name, tensor in zip(("map", "score"), wanted, strict=True):
        np.testing.assert_allclose(answers[name][:, :, 0], tensor[0, 0].numpy(), rtol=1e-4, atol=1e-6)


def test_cavgas_encoder_ends_where_its_weights_do_and_info_says_so(tmp_path: Path) -> None:
    import torchvision

    state = torchvision.models.resnet18(weights=None).state_dict()
    for name, kept in {"two": ("conv1", "bn1", "layer1", "layer2"), "none": ("layer2",)}.items():
        torch.save({key: value for key, value in state.items() if key.startswith(kept)}, tmp_path / f"{name}.pth")
    detector = fit("cavga", epochs=1, encoder=tmp_path / "two.pth")
    assert detector.info()["encoder"] == "ResNet-18 up to layer2, trained on from weights two.pth"
    detector.save(tmp_path / "part.blemish")
    assert blemish.load(tmp_path / "part.blemish").info()["encoder"] == detector.info()["encoder"]
    with pytest.raises(OptionError, match=r"encoder=.*none\.pth cannot be used: it does not hold the first stage"):
        fit("cavga", encoder=tmp_path / "none.pth")
    with pytest.raises(BackboneError, match=r"absent\.pth cannot be read"):
        fit("cavga", encoder=tmp_path / "absent.pth")


def test_without_weights_the_encoder_starts_at_random_and_says_so(detectors: dict[str, Detector]) -> None:
    assert detectors["cavga"].info()["encoder"] == "ResNet-18 up to layer4, trained on from random weights"


def test_the_attention_is_grad_cam_of_the_latents_sum() -> None:
    from blemish.methods.trained.cavga import Autoencoder, make_encoder

    autoencoder = Autoencoder(make_encoder(None), channels=4).eval()
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    features = autoencoder.encoder(image).detach().requires_grad_()
    autoencoder.latent(features)[0].sum().backward()
    weights = features.grad.mean(dim=(2, 3), keepdim=True)
    wanted = torch.sigmoid((weights * features).sum(dim=1, keepdim=True))
    with torch.no_grad():
        ours = autoencoder.attention(features)
    np.testing.assert_allclose(ours.numpy(), wanted.detach().numpy(), rtol=1e-4)


@pytest.mark.parametrize("option", [{"tiles": 64}, {"ignore": "0,0,9x9"}, {"include": "0,0,90x90"}])
def test_options_that_a_whole_image_network_cannot_heed_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=rf"Option {next(iter(option))} cannot be used with the method ganomaly"):
        fit("ganomaly", **option)


@pytest.mark.parametrize(("option", "method"), [({"coreset": 10}, "differnet"), ({"schedule": "short"}, "patchcore")])
def test_options_of_another_method_are_refused(option: dict[str, Any], method: str) -> None:
    with pytest.raises(OptionError, match=rf"Option {next(iter(option))} cannot be used with the method {method}"):
        blemish.fit(GOOD, **{"method": method} | option)


def test_each_schedule_has_its_size() -> None:
    from blemish.options.settings import make_settings

    assert make_settings(method="differnet").size == 224
    assert make_settings(method="differnet", schedule="published").size == 448
    assert make_settings(method="differnet", preset="paper").size == 448
    assert make_settings(method="differnet", schedule="published", size=256).size == 256


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("blemish.methods.trained.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(OptionError, match=r"method ganomaly is trained with PyTorch.*pip install 'blemish\[torch\]'"):
        fit("ganomaly")
