"""A copy of EfficientNet-Lite0 that learns to tell made defects, kind by kind, from what is good on one product.

After REB (arXiv 2308.12577). It sees images as the small looks of PatchCore do, in even light. The blocks behind level
2 learn; at strides 16 and 32 a head says of each cell whether it is good, and if not, which change it shows. The heads
are thrown away afterwards. Needs the extra [adapt].
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from blemish.adaptation.made import CHANGES, IGNORED, Good, Made, cell_labels, make
from blemish.backbones.backbone import Manifest
from blemish.errors import BackboneError, TrainingError
from blemish.features.graph import EVEN_CONTRAST, EVEN_LEVEL, LEAST_CONTRAST
from blemish.system.progress import Progress, silent

try:
    import timm
    import torch
    from torch import nn
    from torch.nn import functional

    from blemish.backbones.export import export_backbone
    from blemish.backbones.published import DEVIATION, MEAN, weights_of
    from blemish.methods.trained.answer import planes
    from blemish.methods.trained.train import Plan, descend, seeded, train
except ImportError as error:
    raise BackboneError(f"Adapting a network needs PyTorch and timm ({error}): pip install 'blemish[adapt]'") from error

__all__ = ["IMAGES", "RATE", "Pairs", "Training", "learn", "write_network"]

Pairs: TypeAlias = Callable[[np.random.Generator], tuple[Good, Good]]
"""Draws a good image and one of another part, of one shape."""

NAME = "efficientnet_lite0"
IMAGES = 1600
"""Made defects to learn from; with a quarter of them less is gained (docs/adapting.md)."""
RATE, HEAD_RATE, DECAY = 2e-4, 2e-3, 1e-4
"""The highest learning rates, of the blocks and of the heads."""
BATCH, EPOCH = 4, 64
"""Made defects of one step, and of one epoch."""
FIRST = 3
"""The first block that learns: those before it make level 2."""
HEADS = {4: (16, 112, 0.02), 6: (32, 320, 0.012)}
"""Behind these blocks: the stride, the channels, and by how much a cell of a defect has changed."""
HIDDEN = 64
GOOD, DEFECTIVE = 0.5, 2.0
"""What cells count, since most of them are good."""


@dataclass(frozen=True)
class Training:
    """From how many made defects to learn, and how fast."""

    seed: int
    threads: int
    images: int = IMAGES
    rate: float = RATE

    @property
    def epochs(self) -> int:
        return -(-self.images // EPOCH)


def learn(pairs: Pairs, training: Training, progress: Progress = silent) -> Any:
    """The network after it has learnt from the images that `pairs` draws. Raises TrainingError where it diverges."""
    learner = _Learner(pairs, training)
    try:
        train(learner, Plan(training.epochs, BATCH, training.seed, training.threads), progress=progress)
    except TrainingError:  # it names epochs, which adapt does not let one choose
        raise TrainingError(
            "Training diverged (its loss is not finite); check the images, or try another seed."
        ) from None
    return learner.classifier.network


def write_network(network: Any, name: str, *, source: str, folder: Path | None = None) -> Manifest:
    """Write the network as a backbone. Raises BackboneError where it cannot be written."""
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch, "adapted.pth")
        torch.save(network.state_dict(), weights)
        return export_backbone(
            f"tf_{NAME}",
            weights=weights,
            save_as=name,
            folder=folder,
            mean=(MEAN,) * 3,
            std=(DEVIATION,) * 3,
            source=source,
            licence="Apache-2.0",
        )


class _Learner:
    """Made defects, drawn anew at every step, and what learns from them."""

    def __init__(self, pairs: Pairs, training: Training) -> None:
        with seeded(training.seed):
            self.classifier = _Classifier().eval()  # batch norms stay as they are
        optimizer = _optimizer(self.classifier, training.rate)
        steps = training.epochs * EPOCH // BATCH
        rates = [training.rate, HEAD_RATE]
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps + 1)
        self._pairs = pairs
        self.networks, self.optimizers = {"classifier": self.classifier}, {"optimizer": optimizer}
        self.data = np.arange(EPOCH)

    def step(self, images: Any, generator: Any) -> float:
        random = np.random.default_rng(int(torch.randint(1 << 31, (1,), generator=generator)))
        loss = _loss(self.classifier, [make(*self._pairs(random), random) for _ in images])
        descend(self.optimizers["optimizer"], loss)
        self._schedule.step()
        return float(loss.detach())


class _Classifier(nn.Module):  # type: ignore[misc]
    """The network with a head for each of two levels."""

    def __init__(self) -> None:
        super().__init__()
        self.network = timm.create_model(f"tf_{NAME}", pretrained=False)
        self.network.load_state_dict(weights_of(NAME))
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


def _head(channels: int) -> Any:
    return nn.Sequential(nn.Conv2d(channels, HIDDEN, 1), nn.ReLU(), nn.Conv2d(HIDDEN, 1 + len(CHANGES), 1))


def _even(image: Any) -> Any:
    """Each image at one brightness and contrast, as looks with even light see it."""
    centred = image - image.mean((1, 2, 3), keepdim=True)
    contrast = centred.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=LEAST_CONTRAST / 255)
    return (centred / contrast * (EVEN_CONTRAST / 255) + EVEN_LEVEL / 255).clamp(0, 1)


def _optimizer(classifier: Any, rate: float) -> Any:
    """Of the convolutions of the deep blocks, and of the heads; nothing else learns."""
    classifier.requires_grad_(False)
    deep = classifier.network.blocks[FIRST : max(HEADS) + 1]
    convolutions = [each for each in deep.parameters() if each.ndim == 4]
    heads = list(classifier.heads.parameters())
    for parameter in (*convolutions, *heads):
        parameter.requires_grad_(True)
    groups = [{"params": convolutions, "lr": rate}, {"params": heads, "lr": HEAD_RATE}]
    return torch.optim.AdamW(groups, weight_decay=DECAY)


def _loss(classifier: Any, batch: list[Made]) -> Any:
    """Cross entropy over the cells of both levels."""
    answers = classifier(planes(np.stack([made.image_HWC for made in batch])))
    weights = torch.tensor([GOOD] + [DEFECTIVE] * len(CHANGES))
    total = torch.zeros(())
    for answer, (stride, _, least) in zip(answers, HEADS.values(), strict=True):
        labels = torch.from_numpy(np.stack([cell_labels(made, stride, least) for made in batch]))
        summed = functional.cross_entropy(answer, labels, weight=weights, ignore_index=IGNORED, reduction="sum")
        # Small images may have no cell that tells anything: a mean over none would not be a number.
        total = total + summed / weights[labels[labels != IGNORED]].sum().clamp(min=GOOD)
    return total
