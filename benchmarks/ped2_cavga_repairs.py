"""Other maps from CAVGA-R_u's networks on UCSD Ped2, beside its attention and beside the mean image: pixel AUROC.

    BLEMISH_DATA=... python benchmarks/ped2_cavga_repairs.py --encoder resnet18.safetensors --epochs 8 --output

Each column is one training: with the published weight of the loss that spreads attention or a smaller one, and with all
of the encoder's levels or fewer. Each row is a map that needs no further training. "By place" takes off what training
frames have at that place on average. The mean image needs no network: what does not beat it is of no use here.
"""

import argparse
import itertools
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias
from unittest.mock import patch

import cv2
import numpy as np
import torch
from machine import data_folder, markdown_table, publish
from safetensors.torch import load_file, save_file
from torch.nn import functional

from blemish.arrays import Array, Bools, Floats
from blemish.data.protocols.ped2 import PED2
from blemish.data.protocols.tasks import Task
from blemish.data.samples import Sample
from blemish.evaluation.masks import sample_mask
from blemish.evaluation.metrics import auroc
from blemish.images.read import read_image
from blemish.methods.trained import cavga
from blemish.methods.trained.answer import planes
from blemish.methods.trained.train import Plan, train
from blemish.scoring.heatmap import anomaly_map

Maps: TypeAlias = dict[str, Floats]
"""Of each kind, images x h x w."""

SIGMA = 4.0
"""Of the blur of all maps, in the input's pixels."""
AT_ONCE = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True, help="weights of ResNet-18")
    parser.add_argument(
        "--spread", type=float, nargs="+", default=[0.01, 0.001], help="weights of the attention's loss"
    )
    parser.add_argument("--stages", type=int, nargs="+", default=[3], help="levels of the encoder")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--side", type=int, default=96, help="side of the square with as many pixels as the input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", action="store_true", help="keep the table in benchmarks/results")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (task,) = PED2.tasks(data_folder() / "ped2", Path(folder))
        columns = measured(task, arguments, Path(folder))
    header = ["map", *(f"{name}: plain, by place" for name in columns)]
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    rows = [[name, *(column.get(name, "") for column in columns.values())] for name in names]
    said = f"{arguments.epochs} epochs at {arguments.side} px, 510 frames learnt from; pixel AUROC in percent."
    publish(
        "ped2_cavga_repairs", f"{said}\n\n{markdown_table(header, rows)}", seed=arguments.seed, keep=arguments.output
    )


def measured(task: Task, arguments: argparse.Namespace, folder: Path) -> dict[str, dict[str, str]]:
    """The AUROC of each map, by training; first without a network."""
    good, tested = (sized(samples, arguments.side) for samples in (task.train, task.test))
    mask = np.stack([whole_mask(sample, tested.shape[1:3]) for sample in task.test])
    away, mean_HWC = [], good.mean(axis=0)
    for pixels in (good, tested):
        away.append(np.abs(pixels - mean_HWC).mean(axis=-1))
    columns = {"no network": {"distance to the mean image": judged(away[0], away[1], mask)}}
    for spread, stages in itertools.product(arguments.spread, arguments.stages):
        weights = cut(arguments.encoder, stages, folder)
        with patch.object(cavga, "ATTENTION", spread):
            schedule = cavga.SCHEDULES["short"]
            trainee = cavga.CAVGATrainee(good, schedule, weights=weights, seed=arguments.seed)
            train(trainee, Plan(arguments.epochs, schedule.batch, arguments.seed, torch.get_num_threads()))
        of_good, of_tested = (maps(trainee.autoencoder, pixels) for pixels in (good, tested))
        latents = of_good.pop("latents")
        unlikely = unlikelihood(latents)
        of_good["latent likelihood"], of_tested["latent likelihood"] = map(
            unlikely, (latents, of_tested.pop("latents"))
        )
        columns[f"weight {spread:g}, {stages} levels"] = {
            name: judged(of_good[name], of_tested[name], mask) for name in of_good
        }
    return columns


def sized(samples: Sequence[Sample], side: int) -> Array:
    """All frames, N x height x width x 3, aspect kept, sides multiples of 32."""
    frames = []
    for sample in samples:
        grey = read_image(sample.path)
        scale = side / float(np.sqrt(grey.shape[0] * grey.shape[1]))
        height, width = (max(32, 32 * round(axis * scale / 32)) for axis in grey.shape[:2])
        small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
        frames.append(np.repeat(small[:, :, None], 3, axis=2) if small.ndim == 2 else small)
    return np.stack(frames)


def whole_mask(sample: Sample, size: tuple[int, int]) -> Bools:
    """The defect's mask at the input's size."""
    own = sample_mask(sample, read_image(sample.path).shape[:2])
    return np.asarray(cv2.resize(own.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST), np.bool_)


def cut(weights: Path, stages: int, folder: Path) -> Path:
    """The weights of the first stages alone."""
    later = tuple(f"layer{stage}." for stage in range(stages + 1, 5))
    kept = {name: tensor for name, tensor in load_file(weights).items() if not name.startswith(later)}
    save_file(kept, folder / f"{stages}.safetensors")
    return folder / f"{stages}.safetensors"


def maps(autoencoder: Any, pixels: Array) -> Maps:
    """All maps of these frames, and the latents (N x channels x h x w) from which their likelihood comes."""
    autoencoder.eval()
    found: dict[str, list[Floats]] = {}
    for start in range(0, len(pixels), AT_ONCE):
        for name, values in of_batch(autoencoder, planes(pixels[start : start + AT_ONCE])).items():
            found.setdefault(name, []).append(values.detach().numpy())
    return {name: np.concatenate(parts) for name, parts in found.items()}


def of_batch(autoencoder: Any, frames: Any) -> dict[str, Any]:
    features = autoencoder.encoder(frames).detach().requires_grad_(True)
    mean, log_variance = autoencoder.latent(features)
    error = (frames - autoencoder.decoder(mean)).abs()
    (gradient,) = torch.autograd.grad(error.sum(), features)
    weights = autoencoder.mean.weight.sum(dim=0, keepdim=True)
    return {
        "1 - attention (the method)": 1 - autoencoder.attention(features)[:, 0],
        "minus attention, without the sigmoid": -functional.conv2d(features, weights)[:, 0],
        "attention of the drawing's error": (gradient * features).sum(dim=1).abs(),
        "KL of the latent": (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2,
        "the drawing's error": error.mean(dim=1),
        "latents": mean,
    }


def unlikelihood(latents: Floats) -> Callable[[Floats], Floats]:
    """The Mahalanobis distance of latents to those of good frames, all places together."""
    flat_ND = latents.transpose(0, 2, 3, 1).reshape(-1, latents.shape[1])
    covariance = np.cov(flat_ND.T)
    covariance += 1e-3 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    mean_D, inverse = flat_ND.mean(axis=0), np.linalg.inv(covariance)

    def distance(of: Floats) -> Floats:
        away = of.transpose(0, 2, 3, 1) - mean_D
        return np.asarray(np.einsum("nhwi,ij,nhwj->nhw", away, inverse, away), np.float32)

    return distance


def judged(good: Floats, tested: Floats, mask: Bools) -> str:
    """The pixel AUROC of maps, and of what they exceed the good frames' mean at each place by."""
    return f"{pixel_auroc(tested, mask):.1f}, {pixel_auroc(tested - good.mean(axis=0), mask):.1f}"


def pixel_auroc(maps_Nhw: Floats, mask_NHW: Bools) -> float:
    """All pixels of all frames pooled, maps drawn at the input's size; in percent."""
    _, height, width = mask_NHW.shape
    drawn = [anomaly_map(map_hw.astype(np.float32), height, width, SIGMA) for map_hw in maps_Nhw]
    return 100 * auroc(np.stack(drawn).ravel(), mask_NHW.ravel())


if __name__ == "__main__":
    main()
