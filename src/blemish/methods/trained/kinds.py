"""What the trained methods share: a network learns from good images, and its graph answers with a score and a map.

    fit     torch trains on the pixels or features of good images (training.py), and the trained network
            becomes an ONNX graph with the grids "score" (1 x 1 x 1) and "map" (h x w x 1)
    score   reads both off; nothing here imports torch, so inspection needs none

Each method is one file: differnet.py, ganomaly.py, cavga.py. Training is dear, so some parts are held out for good: the
network that inspects is the one that the threshold was measured on.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, ClassVar

import numpy as np

from blemish.arrays import Array, Bools, Doubles, Ints
from blemish.backbones.backbone import Backbone
from blemish.errors import OptionError
from blemish.features.patches import Features
from blemish.images.transform import Transform
from blemish.methods.good_images import GoodImages
from blemish.methods.method import Fitted, Scores
from blemish.methods.state import State, Tensor
from blemish.options.settings import Settings
from blemish.scoring.heatmap import anomaly_map, on_grid
from blemish.system.progress import Progress, silent

__all__ = ["CAVGA", "DifferNet", "GANomaly", "Trained", "TrainedLearner"]


@dataclass(frozen=True, eq=False, repr=False)
class Trained(State):
    """A trained method, fitted: what its graph answers is the answer."""

    losses_K: Annotated[Doubles, Tensor("training.losses", np.float64, "K")]
    """The mean loss of each epoch."""
    settings: Settings
    transform: Transform
    MODULE: ClassVar[str]
    STRIDE: ClassVar[int] = 16
    needs_backbone: ClassVar[bool] = False

    def score(self, features: Features, *, threads: int = 1) -> Scores:
        """The graph's score, and its map in the input's pixels."""
        image = float(features["score"].values_QD[0, 0])
        patches = features["map"]
        map_hw = on_grid(patches.values_QD[:, 0], patches.seen_hw)
        return Scores(image, anomaly_map(map_hw, self.transform.height, self.transform.width, self.settings.sigma))

    @classmethod
    def stride(cls, settings: Settings, backbone: Backbone | None) -> int:
        return cls.STRIDE

    @classmethod
    def learn(cls, good: GoodImages) -> "TrainedLearner":
        return TrainedLearner(cls, good)

    def info(self) -> dict[str, Any]:
        return {"training": {"epochs": len(self.losses_K), "last_loss": float(self.losses_K[-1])}}

    @property
    def size(self) -> str:
        return f"{len(self.losses_K)} epochs"

    def __str__(self) -> str:
        return f"{len(self.losses_K)} epochs, last loss {self.losses_K[-1]:.4g}"


class DifferNet(Trained):
    """Density of pooled features; see differnet.py."""

    MODULE = "blemish.methods.trained.differnet"
    needs_backbone = True


class GANomaly(Trained):
    """Encoder, decoder, encoder; see ganomaly.py."""

    MODULE = "blemish.methods.trained.ganomaly"


@dataclass(frozen=True, eq=False, repr=False)
class CAVGA(Trained):
    """Variational autoencoder with attention; see cavga.py."""

    stages_S: Annotated[Ints, Tensor("encoder.stages", np.int64, "s")]
    """How many stages of ResNet-18 the encoder has, one number."""
    MODULE = "blemish.methods.trained.cavga"
    STRIDE = 32

    def info(self) -> dict[str, Any]:
        start = f"weights {self.settings.encoder.name}" if self.settings.encoder else "random weights"
        stages = int(self.stages_S[0])
        return {"encoder": f"ResNet-18 up to layer{stages}, trained on from {start}"} | super().info()


class TrainedLearner:
    """The good images of a trained method."""

    grid = (1, 1)
    refits = False

    def __init__(self, kind: type[Trained], good: GoodImages) -> None:
        self._kind = kind
        self._good = good
        try:
            self._module = import_module(kind.MODULE)
        except ImportError as error:
            raise OptionError(
                f"The method {good.settings.method} is trained with PyTorch, which cannot be imported ({error}); "
                "install it with: pip install 'blemish[torch]'. Inspecting with its models needs none."
            ) from None
        self.digests = good.digests()

    def fit(self, images: Bools | None = None, progress: Progress = silent) -> Fitted:
        """Train on the images marked, or on all; goes on where a checkpoint holds an interrupted training."""
        from blemish.methods.trained.checkpoint import Checkpoint
        from blemish.methods.trained.train import Plan, train

        good, settings = self._good, self._good.settings
        numbers = range(len(good)) if images is None else [int(image) for image in np.flatnonzero(images)]
        trainee = self._module.trainee(good, numbers)
        trains = _fingerprint(settings, trainee.data)
        checkpoint = Checkpoint(good.resources.checkpoint, trains) if good.resources.checkpoint else None
        plan = Plan(settings.epochs or trainee.epochs, trainee.batch, settings.seed, good.threads)
        losses = train(trainee, plan, checkpoint=checkpoint, progress=progress)
        graph: bytes = trainee.graph(good)
        tensors = {"training.losses": np.array(losses)} | trainee.tensors
        return Fitted(self._kind.restore(tensors, settings, good.transform), graph)

    def features(self, fitted: Fitted, images: Sequence[int]) -> Iterator[Features]:
        return self._good.features(fitted.graph, images)


def _fingerprint(settings: Settings, data: Array) -> str:
    """What is trained, and on what; the number of epochs is left out, so that it can be changed on the way."""
    digest = hashlib.sha256(settings.model_dump_json(exclude={"epochs"}).encode())
    digest.update(np.ascontiguousarray(data).data)
    return digest.hexdigest()
