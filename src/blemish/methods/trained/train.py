"""One training loop for all that learn: seeded, resumable after every epoch, stopped where it diverges.

Each epoch draws from a generator of its own, seeded by the epoch's number: nothing but the learner's state is needed
to go on where training was interrupted, and the result is bit for bit that of an uninterrupted run.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from blemish.errors import OptionError, TrainingError
from blemish.methods.trained.checkpoint import Checkpoint
from blemish.methods.trained.trainee import Learner
from blemish.system.progress import Progress, silent

__all__ = ["Plan", "descend", "seeded", "train"]

EPOCH_SEEDS = 1_000_003
"""Seeds of one run's epochs lie between those of its neighbours' runs, and never meet them."""


@dataclass(frozen=True)
class Plan:
    """How long to train, in what pieces."""

    epochs: int
    batch: int
    seed: int
    threads: int


def train(
    learner: Learner, plan: Plan, *, checkpoint: Checkpoint | None = None, progress: Progress = silent
) -> list[float]:
    """Train until the plan's last epoch and return each epoch's mean loss.

    Goes on where `checkpoint` holds the state of earlier epochs, and keeps the state there after each one. Raises
    TrainingError naming the epoch where a loss or a weight is no longer finite; the epoch before is what is kept.
    Raises OptionError where the checkpoint is past the last epoch.
    """
    losses = checkpoint.restore(learner) if checkpoint else []
    if checkpoint and len(losses) > plan.epochs:
        raise OptionError(
            f"Option epochs={plan.epochs} asks for less than the {len(losses)} epochs in {checkpoint.path}; "
            "delete it to train from the start."
        )
    with _threads(plan.threads):
        for epoch in range(len(losses), plan.epochs):
            loss = _epoch(learner, plan, epoch)
            if not math.isfinite(loss) or not _finite(learner):
                raise TrainingError(_diverged(epoch, checkpoint))
            losses.append(loss)
            if checkpoint:
                checkpoint.keep(learner, losses)
            progress("train", epoch + 1, plan.epochs)
    return losses


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw first weights from a seed, and leave the caller's generator where it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def descend(optimizer: Any, loss: Any) -> None:
    """One step of an optimiser down a loss."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _epoch(learner: Learner, plan: Plan, epoch: int) -> float:
    """One pass over the images in random order; the mean of the batches' losses, NaN as soon as one is not finite."""
    generator = torch.Generator().manual_seed(plan.seed * EPOCH_SEEDS + epoch)
    images = len(learner.data)
    order = torch.randperm(images, generator=generator)
    # Batches of nearly equal size: a last one of a single image would leave batch norms nothing to measure.
    losses = []
    for batch in torch.tensor_split(order, math.ceil(images / plan.batch)):
        losses.append(learner.step(batch, generator))
        if not math.isfinite(losses[-1]):
            return math.nan
    return sum(losses) / len(losses)


def _finite(learner: Learner) -> bool:
    states = (network.state_dict() for network in learner.networks.values())
    return all(bool(torch.isfinite(tensor).all()) for state in states for tensor in state.values())


def _diverged(epoch: int, checkpoint: Checkpoint | None) -> str:
    if epoch == 0:
        return "Training diverged in epoch 1 (its loss is not finite); check the images, or try another seed."
    kept = f"; the state after epoch {epoch} is kept in {checkpoint.path}" if checkpoint else ""
    return (
        f"Training diverged in epoch {epoch + 1} (its loss is not finite){kept}. "
        f"Fit with epochs={epoch} to use the state before it, or try another seed."
    )


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before: int = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
