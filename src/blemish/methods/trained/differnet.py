"""DifferNet (Rudolph, Wandt, Rosenhahn, WACV 2021; arXiv 2008.12577): how likely are an image's features?

Features of a frozen network at three scales of the image, averaged over positions, are the image as one vector; a
normalising flow learns their density from good images. The score is the mean of z^2 over the vector and over turned
views of the image: minus the log-likelihood of z, but for constants. The map is what each position of the taps adds
to the score of the image as it is, to first order: the gradient by the pooled values, written out (flow.py), weighs
each channel where it was pooled from. The paper's map is the gradient by the pixels, back through the network.

As published (the authors' code): 8 coupling blocks with fixed permutations, subnets of three hidden layers, scales
clamped with alpha = 3, Adam 2e-4 with betas (0.8, 0.8), eps 1e-4 and weight decay 1e-5, batches of 24 images in 4
views; the schedule `published` adds 448 pixels, hidden layers of 2048, 64 views, 24 x 8 = 192 epochs.
Otherwise than published: any exported backbone at its own taps, for AlexNet's last layer; values are standardised by
the training images, since backbones differ in scale; views are V evenly spread turns, the same in training and
inspection, for turns drawn anew each time, so that the frozen network sees each view once; what a turn brings in is the
backbone's mean colour, not black; halving averages pixels, not drops them; no epoch is chosen by test results.
The schedule `short` has 224 pixels, hidden layers of 256, 8 views and 60 epochs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx.compose
import torch
from torch import nn

from blemish.arrays import Array, Floats
from blemish.backbones.backbone import Tap
from blemish.backbones.trace import trace
from blemish.features.graph import at_least, choose_taps
from blemish.methods.good_images import GoodImages
from blemish.methods.trained.answer import answer_graph
from blemish.methods.trained.flow import Flow
from blemish.methods.trained.train import descend, seeded
from blemish.methods.trained.views import IMAGE, MAP, VIEWS, draw_map, view_features

__all__ = ["DifferNetTrainee", "negative_log_likelihood", "trainee"]

BLOCKS = 8
VIEWS_IN_A_BATCH = 4
SILENT = 1e-3
"""Least spread of a value, as a share of the largest."""


@dataclass(frozen=True)
class Schedule:
    """How long to train, on how many images at once, on how many of their views; the width of the flow's layers."""

    epochs: int
    batch: int
    views: int
    hidden: int


SCHEDULES = {"short": Schedule(60, 24, 8, 256), "published": Schedule(192, 24, 64, 2048)}


def trainee(good: GoodImages, numbers: Sequence[int]) -> "DifferNetTrainee":
    """The flow of a schedule, before its first epoch; the frozen backbone has seen every view of these images."""
    schedule = SCHEDULES[good.settings.schedule]
    graph = _graph(good, _views(good, schedule.views), {"views": VIEWS})
    features = []
    for done, seen in enumerate(good.features(graph, numbers), start=1):
        features.append(seen["views"].values_QD.reshape(schedule.views, -1))
        good.progress("views", done, len(numbers))
    return DifferNetTrainee(np.stack(features), schedule, seed=good.settings.seed)


class DifferNetTrainee:
    """The flow, and how it learns from features (N images x V views x D values)."""

    def __init__(self, features_NVD: Floats, schedule: Schedule, *, seed: int) -> None:
        self.data = features_NVD
        self.epochs, self.batch = schedule.epochs, schedule.batch
        self.tensors: dict[str, Array] = {}
        with seeded(seed):
            self.flow = Standardised(torch.from_numpy(features_NVD), schedule.hidden)
        self.networks = {"flow": self.flow}
        adam = torch.optim.Adam(self.flow.parameters(), lr=2e-4, betas=(0.8, 0.8), eps=1e-4, weight_decay=1e-5)
        self.optimizers = {"flow/adam": adam}

    def step(self, images: Any, generator: Any) -> float:
        """One step on some views of a batch; returns the negative log-likelihood a value, but for constants."""
        shuffled = torch.rand(len(images), self.data.shape[1], generator=generator).argsort(dim=1)
        views = shuffled[:, :VIEWS_IN_A_BATCH].numpy()
        x_BD = torch.from_numpy(self.data[images.numpy()[:, None], views].reshape(-1, self.data.shape[2]))
        loss = negative_log_likelihood(self.flow, x_BD)
        descend(self.optimizers["flow/adam"], loss)
        return float(loss.item())

    def graph(self, good: GoodImages) -> bytes:
        views, dimension = self.data.shape[1:]
        seen = _views(good, views)
        judge = trace(Judge(self.flow, views), ["score", "gradient", "offset"], (1, 1), channels=views * dimension)
        opset = max(entry.version for entry in seen.opset_import)
        joined = onnx.compose.merge_models(
            seen, at_least(opset, onnx.load_from_string(judge)), io_map=[(VIEWS, "input")], prefix2="judge/"
        )
        draw_map(joined.graph, _taps(good), "judge/gradient", "judge/offset")
        return _graph(good, joined, {"map": MAP, "score": "judge/score"})


class Standardised(nn.Module):  # type: ignore[misc]
    """A flow over values brought to mean 0 and spread 1, as the first data had them."""

    def __init__(self, features_NVD: Any, hidden: int) -> None:
        super().__init__()
        dimension = features_NVD.shape[2]
        spread_D = features_NVD.reshape(-1, dimension).std(dim=0)
        self.register_buffer("mean_D", features_NVD.reshape(-1, dimension).mean(dim=0))
        # A channel that is near zero on all good images would score far too high on the first image that uses it.
        self.register_buffer("spread_D", spread_D + SILENT * spread_D.max() + 1e-12)
        self.flow = Flow(dimension, blocks=BLOCKS, hidden=hidden)

    def forward(self, x_BD: Any) -> tuple[Any, Any]:
        z_BD, log_determinant_B = self.flow((x_BD - self.mean_D) / self.spread_D)
        return z_BD, log_determinant_B

    def gradient(self, x_BD: Any) -> Any:
        """The gradient of the mean of z^2 over a vector by its x."""
        return self.flow.gradient((x_BD - self.mean_D) / self.spread_D) / self.spread_D


class Judge(nn.Module):  # type: ignore[misc]
    """The trained flow as a judge of one image, given all its views (1 x V D x 1 x 1).

    Answers the score, the mean of z^2 over views and values (1 x 1 x 1 x 1); the gradient of the first view's mean by
    its values (1 x D x 1 x 1); and that gradient's product with the mean good image (1 x 1 x 1 x 1).
    """

    def __init__(self, flow: Standardised, views: int) -> None:
        super().__init__()
        self.flow = flow
        self.views = views

    def forward(self, values: Any) -> tuple[Any, Any, Any]:
        x_VD = values.reshape(self.views, -1)
        z_VD, _ = self.flow(x_VD)
        gradient_1D = self.flow.gradient(x_VD[:1])
        offset = (gradient_1D * self.flow.mean_D).sum()
        return (z_VD**2).mean().reshape(1, 1, 1, 1), gradient_1D[:, :, None, None], offset.reshape(1, 1, 1, 1)


def negative_log_likelihood(flow: Any, x_BD: Any) -> Any:
    """mean(z^2 / 2 - log |det J|), a value of x, but for constants."""
    z_BD, log_determinant_B = flow(x_BD)
    return ((z_BD**2).sum(dim=1) / 2 - log_determinant_B).mean() / x_BD.shape[1]


def _taps(good: GoodImages) -> list[Tap]:
    assert good.backbone is not None, "needs_backbone"
    return choose_taps(good.backbone, good.settings.taps)


def _views(good: GoodImages, views: int) -> onnx.ModelProto:
    assert good.backbone is not None, "needs_backbone"
    return view_features(good.backbone, _taps(good), good.transform.height, good.transform.width, views)


def _graph(good: GoodImages, network: onnx.ModelProto, answers: dict[str, str]) -> bytes:
    """Put the normalisation of the backbone's images before a network over it."""
    assert good.backbone is not None, "needs_backbone"
    content = network.SerializeToString(deterministic=True)
    manifest = good.backbone.manifest
    return answer_graph(content, IMAGE, answers, manifest.mean, manifest.std, good.transform)
