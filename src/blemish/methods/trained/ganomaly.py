"""GANomaly (Akcay, Atapour-Abarghouei, Breckon, ACCV 2018; arXiv 1805.06725): encode, decode, encode again.

A generator compresses an image to a latent vector z, draws it again and compresses the drawing to z^; a discriminator
sees to it that drawings look like good images. What was never seen is drawn as something else, and its z^ differs
from its z. The score is the mean of (z - z^)^2; the map, which the paper does not have, is the drawing's error
|x - x^|, averaged over channels.

As published (the authors' code): DCGAN layers (4 x 4, stride 2, batch norm, no bias, N(0, 0.02)), 100 latents, losses
1 x adversarial (features of the discriminator's last layer but one) + 50 x |x - x^| + 1 x (z - z^)^2, the
discriminator's cross entropy halved and its weights drawn anew where it wins outright (< 1e-5), Adam 2e-4 with betas
(0.5, 0.999); the schedule `published` adds 32 pixels, 64 channels at first, batches of 64, 15 epochs.
Otherwise than published: no epoch is chosen by test results and no score rescaled by the test set; batch norms use
what they measured in training, so that a score does not depend on the other images of a batch.
The schedule `short` has 32 pixels, 32 channels, batches of 16 and 60 epochs: 15 epochs of a few hundred images are too
few steps, and after 60 the error of drawings of held-out good Magnetic Tiles no longer falls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from blemish.arrays import Array
from blemish.methods.good_images import GoodImages
from blemish.methods.trained.answer import planes, sized_images, traced_graph
from blemish.methods.trained.dcgan import Discriminator, decoder, encoder, first_weights
from blemish.methods.trained.train import descend, seeded

__all__ = ["GANomalyTrainee", "trainee"]

LATENTS = 100
ADVERSARIAL, CONTEXT, LATENT = 1.0, 50.0, 1.0
WON_OUTRIGHT = 1e-5


@dataclass(frozen=True)
class Schedule:
    """How long to train, on how many images at once, with how many channels at first."""

    epochs: int
    batch: int
    channels: int


SCHEDULES = {"short": Schedule(60, 16, 32), "published": Schedule(15, 64, 64)}


def trainee(good: GoodImages, numbers: Sequence[int]) -> "GANomalyTrainee":
    """The networks of a schedule, before their first epoch on these images."""
    return GANomalyTrainee(sized_images(good, numbers), SCHEDULES[good.settings.schedule], seed=good.settings.seed)


class GANomalyTrainee:
    """The generator and the discriminator, and how they learn from images (N x H x W x 3)."""

    def __init__(self, pixels: Array, schedule: Schedule, *, seed: int) -> None:
        self.data = pixels
        self.epochs, self.batch = schedule.epochs, schedule.batch
        self.tensors: dict[str, Array] = {}
        size, channels = (pixels.shape[1], pixels.shape[2]), schedule.channels
        with seeded(seed):
            self.generator = Generator(size, channels).apply(first_weights)
            self.discriminator = Discriminator(size, channels).apply(first_weights)
        self.networks = {"generator": self.generator, "discriminator": self.discriminator}
        self.optimizers = {
            f"{name}/adam": torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for name, network in self.networks.items()
        }

    def step(self, images: Any, generator: Any) -> float:
        """One step of both networks on a batch; returns the generator's loss."""
        real = planes(self.data[images.numpy()]) * 2 - 1
        fake, z, z_again = self.generator(real)
        real_verdict, real_features = self.discriminator(real)
        adversarial = functional.mse_loss(self.discriminator(fake)[1], real_features.detach())
        loss = (
            ADVERSARIAL * adversarial
            + CONTEXT * functional.l1_loss(fake, real)
            + LATENT * functional.mse_loss(z_again, z)
        )
        descend(self.optimizers["generator/adam"], loss)
        fake_verdict, _ = self.discriminator(fake.detach())
        parted = functional.binary_cross_entropy(real_verdict, torch.ones_like(real_verdict))
        parted = (parted + functional.binary_cross_entropy(fake_verdict, torch.zeros_like(fake_verdict))) / 2
        descend(self.optimizers["discriminator/adam"], parted)
        if parted.item() < WON_OUTRIGHT:
            with seeded(int(torch.randint(2**31, (), generator=generator))):
                self.discriminator.apply(first_weights)
        return float(loss.item())

    def graph(self, good: GoodImages) -> bytes:
        return traced_graph(Answer(self.generator), good.transform, mean=0.5, std=0.5)


class Answer(nn.Module):  # type: ignore[misc]
    """The trained generator as a judge: of one image (1 x 3 x H x W, -1 to 1) the map and the score."""

    def __init__(self, generator: Any) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, image: Any) -> tuple[Any, Any]:
        drawn, z, z_again = self.generator(image)
        return (image - drawn).abs().mean(dim=1, keepdim=True), ((z - z_again) ** 2).mean(dim=1, keepdim=True)


class Generator(nn.Module):  # type: ignore[misc]
    """Image to image, with the latents of both; H and W are multiples of 16."""

    def __init__(self, size: tuple[int, int], channels: int) -> None:
        super().__init__()
        self.encoder = encoder(size, channels, LATENTS)
        self.decoder = decoder(size, LATENTS, channels)
        self.encoder_again = encoder(size, channels, LATENTS)

    def forward(self, image: Any) -> tuple[Any, Any, Any]:
        z = self.encoder(image)
        drawn = self.decoder(z)
        return drawn, z, self.encoder_again(drawn)
