"""The convolutional networks of DCGAN (Radford, Metz, Chintala, 2016; arXiv 1511.06434), for images of any size.

Each layer halves or doubles both sides (4 x 4, stride 2, no bias), down to a few pixels that one last layer turns into
latents; sides are multiples of 16. Weights start at N(0, 0.02).
"""

from typing import Any

from torch import nn

__all__ = ["Discriminator", "decoder", "encoder", "first_weights"]


class Discriminator(nn.Module):  # type: ignore[misc]
    """The probability that an image is a real one, and the features it rests on."""

    def __init__(self, size: tuple[int, int], channels: int) -> None:
        super().__init__()
        layers = list(encoder(size, channels, 1))
        self.features = nn.Sequential(*layers[:-1])
        self.verdict = nn.Sequential(layers[-1], nn.Sigmoid())

    def forward(self, image: Any) -> tuple[Any, Any]:
        features = self.features(image)
        return self.verdict(features).reshape(-1), features


def _halvings(size: tuple[int, int]) -> int:
    """How often both sides can be halved before one is 4 or odd."""
    height, width = size
    count = 0
    while min(height, width) > 4 and height % 2 == 0 and width % 2 == 0:
        height, width, count = height // 2, width // 2, count + 1
    return count


def encoder(size: tuple[int, int], channels: int, latents: int) -> Any:
    """From an image of `size` (height, width) to `latents` numbers: each layer halves it, the first has `channels`."""
    halvings = _halvings(size)
    layers: list[Any] = [nn.Conv2d(3, channels, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
    for level in range(halvings - 1):
        wide = channels * 2**level
        layers += [nn.Conv2d(wide, 2 * wide, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * wide), nn.LeakyReLU(0.2)]
    left = size[0] >> halvings, size[1] >> halvings
    return nn.Sequential(*layers, nn.Conv2d(channels * 2 ** (halvings - 1), latents, left, bias=False))


def decoder(size: tuple[int, int], latents: int, channels: int) -> Any:
    """From `latents` numbers back to an image of `size` (height, width) with values from -1 to 1."""
    halvings = _halvings(size)
    wide = channels * 2 ** (halvings - 1)
    left = size[0] >> halvings, size[1] >> halvings
    layers: list[Any] = [nn.ConvTranspose2d(latents, wide, left, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]
    for _ in range(halvings - 1):
        layers += [nn.ConvTranspose2d(wide, wide // 2, 4, 2, 1, bias=False), nn.BatchNorm2d(wide // 2), nn.ReLU()]
        wide //= 2
    return nn.Sequential(*layers, nn.ConvTranspose2d(wide, 3, 4, 2, 1, bias=False), nn.Tanh())


def first_weights(layer: Any) -> None:
    """Start a layer as DCGAN does: weights drawn with spread 0.02 (Radford et al., ICLR 2016)."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
        nn.init.zeros_(layer.bias)
