"""CAVGA-R_u (Venkataramanan, Peng, Singh, Mahalanobis, ECCV 2020; 1911.08616): attention that covers what is good.

A variational autoencoder with a convolutional latent draws the image again, an adversary sees to it that drawings
look like good images, and the attention of the latent (Grad-CAM) is taught to cover good images whole. Where the
attention does not reach, the image deviates: the map is 1 - A. The score is the mean of |x - x^|.

The latent's mean is a 1 x 1 convolution W of the encoder's last features F, so Grad-CAM of the sum of the latent has a
closed form: the gradient of sum(W F) by F is the column sums of W at every position, and A = sigmoid(w . F) with
w = the column sums of W. It is one more 1 x 1 convolution, which is how inspection computes it without gradients.

As published: 128 latent channels, losses 1 x (reconstruction + KL) + 1 x adversarial + 0.01 x mean(1 - A), training on
good images alone; the schedule `published` has 256 pixels, Adam 1e-4, batches of 16, 150 epochs.
The paper leaves open what the losses are summed over. Here all are sums over an image: with means for all of them, the
error of drawings of held-out good Magnetic Tiles was 0.18 instead of 0.06 (12 epochs at 64 pixels).
Otherwise than published: the encoder is as much of ResNet-18 as the weights file holds, its norms fixed, or starts at
random without one; attention is brought to 0 to 1 by a sigmoid, not by each image's extremes, so that maps of different
images can be compared; the discriminator starts at random, not from Celeb-A; the decoder's blocks are BigGAN's, their
channels our choice; the score needs no rescaling, since its threshold comes from held-out good images.
The schedule `short` has 96 pixels, a decoder a quarter as wide and 8 epochs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn import functional

from blemish.arrays import Array
from blemish.backbones.export import read_state
from blemish.errors import OptionError
from blemish.methods.good_images import GoodImages
from blemish.methods.trained.answer import planes, sized_images, traced_graph
from blemish.methods.trained.dcgan import Discriminator, first_weights
from blemish.methods.trained.train import descend, seeded

__all__ = ["CAVGATrainee", "trainee"]

LATENTS = 128
RECONSTRUCTION, ADVERSARIAL, ATTENTION = 1.0, 1.0, 0.01
STAGES = 4
DISCRIMINATOR_CHANNELS = 32


@dataclass(frozen=True)
class Schedule:
    """How long to train, on how many images at once; channels of the decoder at the image's size."""

    epochs: int
    batch: int
    channels: int


SCHEDULES = {"short": Schedule(8, 16, 16), "published": Schedule(150, 16, 64)}


def trainee(good: GoodImages, numbers: Sequence[int]) -> "CAVGATrainee":
    """The networks of a schedule, before their first epoch on these images."""
    settings = good.settings
    return CAVGATrainee(
        sized_images(good, numbers), SCHEDULES[settings.schedule], weights=settings.encoder, seed=settings.seed
    )


class CAVGATrainee:
    """The autoencoder and the discriminator, and how they learn from images (N x H x W x 3)."""

    def __init__(self, pixels: Array, schedule: Schedule, *, weights: Path | None, seed: int) -> None:
        self.data = pixels
        self.epochs, self.batch = schedule.epochs, schedule.batch
        with seeded(seed):
            encoder = make_encoder(weights)
            self.autoencoder = Autoencoder(encoder, schedule.channels)
            size = pixels.shape[1], pixels.shape[2]
            self.discriminator = Discriminator(size, DISCRIMINATOR_CHANNELS).apply(first_weights)
        self.tensors = {"encoder.stages": np.array([encoder.stages])}
        self.networks = {"autoencoder": self.autoencoder, "discriminator": self.discriminator}
        self.optimizers = {
            "autoencoder/adam": torch.optim.Adam(self.autoencoder.parameters(), lr=1e-4),
            "discriminator/adam": torch.optim.Adam(self.discriminator.parameters(), lr=1e-4, betas=(0.5, 0.999)),
        }

    def step(self, images: Any, generator: Any) -> float:
        """One step of both networks on a batch; returns the autoencoder's loss."""
        real = planes(self.data[images.numpy()])
        features = self.autoencoder.encoder(real)
        mean, log_variance = self.autoencoder.latent(features)
        noise = torch.randn(mean.shape, generator=generator)
        fake = self.autoencoder.decoder(mean + noise * (log_variance / 2).exp())
        fooled, _ = self.discriminator(fake * 2 - 1)
        kl = (mean**2 + log_variance.exp() - 1 - log_variance).sum() / 2 / real.numel()
        # Sums over an image, divided by its values: an undivided verdict, one number an image, drowns all the others.
        adversarial = functional.binary_cross_entropy(fooled, torch.ones_like(fooled)) / real[0].numel()
        loss = (
            RECONSTRUCTION * (functional.binary_cross_entropy(fake, real) + kl)
            + ADVERSARIAL * adversarial
            + ATTENTION * (1 - self.autoencoder.attention(features)).mean()
        )
        descend(self.optimizers["autoencoder/adam"], loss)
        real_verdict, _ = self.discriminator(real * 2 - 1)
        fake_verdict, _ = self.discriminator(fake.detach() * 2 - 1)
        parted = functional.binary_cross_entropy(real_verdict, torch.ones_like(real_verdict))
        parted = (parted + functional.binary_cross_entropy(fake_verdict, torch.zeros_like(fake_verdict))) / 2
        descend(self.optimizers["discriminator/adam"], parted)
        return float(loss.item())

    def graph(self, good: GoodImages) -> bytes:
        return traced_graph(Answer(self.autoencoder), good.transform, mean=0.0, std=1.0)


class Answer(nn.Module):  # type: ignore[misc]
    """The trained autoencoder as a judge: of one image (1 x 3 x H x W, 0 to 1) the map and the score."""

    def __init__(self, autoencoder: Any) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, image: Any) -> tuple[Any, Any]:
        features = self.autoencoder.encoder(image)
        mean, _ = self.autoencoder.latent(features)
        score = (image - self.autoencoder.decoder(mean)).abs().mean(dim=(1, 2, 3), keepdim=True)
        return 1 - self.autoencoder.attention(features), score


class Autoencoder(nn.Module):  # type: ignore[misc]
    """Encoder, convolutional latent, its attention, and decoder."""

    def __init__(self, encoder: "Encoder", channels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.mean = nn.Conv2d(encoder.channels, LATENTS, 1)
        self.log_variance = nn.Conv2d(encoder.channels, LATENTS, 1)
        self.decoder = _decoder(encoder.halvings, channels)

    def latent(self, features: Any) -> tuple[Any, Any]:
        return self.mean(features), self.log_variance(features)

    def attention(self, features: Any) -> Any:
        """Grad-CAM of the latent's sum, 0 to 1, on the grid of the features (B x 1 x h x w)."""
        weights = self.mean.weight.sum(dim=0, keepdim=True)
        return torch.sigmoid(functional.conv2d(features, weights))


class Encoder(nn.Module):  # type: ignore[misc]
    """The first stages of ResNet-18, as many as its weights have; its input is 0 to 1, normalised inside."""

    def __init__(self, network: Any, stages: int, *, frozen_norms: bool) -> None:
        super().__init__()
        stem = [network.conv1, network.bn1, network.relu, network.maxpool]
        self.layers = nn.Sequential(*stem, *(getattr(network, f"layer{stage}") for stage in range(1, stages + 1)))
        self.stages, self.channels, self.halvings = stages, 64 * 2 ** (stages - 1), stages + 1
        self.frozen_norms = frozen_norms
        self.register_buffer("centre", torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1))
        self.register_buffer("spread", torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1))
        self.train()

    def forward(self, image: Any) -> Any:
        return self.layers((image - self.centre) / self.spread)

    def train(self, mode: bool = True) -> "Encoder":
        """Norms that came with their statistics keep them."""
        super().train(mode)
        for layer in self.layers.modules():
            if isinstance(layer, nn.BatchNorm2d) and self.frozen_norms:
                layer.eval()
        return self


def make_encoder(weights: Path | None) -> Encoder:
    """ResNet-18 from a state dict with torchvision's names, up to the last stage it holds whole; at random without.

    Raises OptionError for weights that do not hold the first stage.
    """
    network = torchvision.models.resnet18(weights=None)
    if weights is None:
        return Encoder(network, STAGES, frozen_norms=False)
    given = read_state(weights)
    unmet = {key for key, own in network.state_dict().items() if key not in given or given[key].shape != own.shape}
    stages = 0
    for part in ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4"):
        if any(key.startswith(f"{part}.") and not key.endswith("num_batches_tracked") for key in unmet):
            break
        stages += part.startswith("layer")
    if stages == 0:
        raise OptionError(
            f"Option encoder={weights} cannot be used: it does not hold the first stage of ResNet-18 "
            "(conv1, bn1, layer1, with torchvision's names)."
        )
    network.load_state_dict({key: value for key, value in given.items() if key not in unmet}, strict=False)
    return Encoder(network, stages, frozen_norms=True)


class _Grow(nn.Module):  # type: ignore[misc]
    """A residual block that doubles both sides (BigGAN's)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.way = nn.Sequential(
            nn.BatchNorm2d(before),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(before, after, 3, padding=1),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1), nn.Upsample(scale_factor=2))

    def forward(self, x: Any) -> Any:
        return self.way(x) + self.shortcut(x)


def _decoder(halvings: int, channels: int) -> Any:
    """From the latent grid to an image, 0 to 1; `channels` at the image's size, at most 8 times as many before."""
    widths = [channels * 2 ** min(3, level) for level in range(halvings, -1, -1)]
    first = nn.Conv2d(LATENTS, widths[0], 3, padding=1)
    grown = [_Grow(before, after) for before, after in pairwise(widths)]
    last = [nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, 3, 3, padding=1), nn.Sigmoid()]
    return nn.Sequential(first, *grown, *last)
