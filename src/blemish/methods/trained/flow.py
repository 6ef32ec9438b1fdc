"""A normalising flow of coupling blocks (DifferNet's): an invertible network whose log-determinant is exact.

x_BD are B vectors of D values.
"""

import math
from typing import Any

import torch
from torch import nn

__all__ = ["CLAMP", "CouplingBlock", "Flow"]

CLAMP = 3.0
"""alpha: scales stay within exp(-3) to exp(3)."""

STEEPEST = 2 / math.pi
"""The slope of the soft clamp at 0."""


class Flow(nn.Module):  # type: ignore[misc]
    """Blocks of a fixed permutation and an affine coupling, one after the other."""

    def __init__(self, dimension: int, *, blocks: int, hidden: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(CouplingBlock(dimension, hidden, permutation=block) for block in range(blocks))

    def forward(self, x_BD: Any) -> tuple[Any, Any]:
        """To z_BD and log |det dz/dx| of each vector."""
        log_determinant_B = x_BD.new_zeros(x_BD.shape[0])
        for block in self.blocks:
            x_BD, log_scales_B = block(x_BD)
            log_determinant_B = log_determinant_B + log_scales_B
        return x_BD, log_determinant_B

    def inverse(self, z_BD: Any) -> Any:
        """The x_BD whose forward is z_BD."""
        for block in reversed(self.blocks):
            z_BD = block.inverse(z_BD)
        return z_BD

    def gradient(self, x_BD: Any) -> Any:
        """The gradient of the mean of z^2 over a vector by its x, written out, so that a graph can compute it."""
        inputs = []
        for block in self.blocks:
            inputs.append(x_BD)
            x_BD, _ = block(x_BD)
        gradient_BD = 2 * x_BD / x_BD.shape[1]
        for block, input_BD in zip(reversed(self.blocks), reversed(inputs), strict=True):
            gradient_BD = block.pull_back(input_BD, gradient_BD)
        return gradient_BD


class CouplingBlock(nn.Module):  # type: ignore[misc]
    """Two halves, each scaled and shifted by what a small network makes of the other (Glow's coupling)."""

    def __init__(self, dimension: int, hidden: int, *, permutation: int) -> None:
        """`permutation` seeds the order of the values, which is no weight: the flow of a dimension always has it."""
        super().__init__()
        order = torch.randperm(dimension, generator=torch.Generator().manual_seed(permutation))
        self.register_buffer("order", order)
        self.register_buffer("order_back", torch.argsort(order))
        self.first, second = dimension // 2, dimension - dimension // 2
        self.of_second = _subnet(second, hidden, 2 * self.first)
        self.of_first = _subnet(self.first, hidden, 2 * second)

    def forward(self, x_BD: Any) -> tuple[Any, Any]:
        first, second = x_BD[:, self.order].split([self.first, x_BD.shape[1] - self.first], dim=1)
        log_scale_first, shift = _scale_and_shift(self.of_second(second))
        first = first * log_scale_first.exp() + shift
        log_scale_second, shift = _scale_and_shift(self.of_first(first))
        second = second * log_scale_second.exp() + shift
        return torch.cat([first, second], dim=1), log_scale_first.sum(dim=1) + log_scale_second.sum(dim=1)

    def inverse(self, z_BD: Any) -> Any:
        first, second = z_BD.split([self.first, z_BD.shape[1] - self.first], dim=1)
        log_scale, shift = _scale_and_shift(self.of_first(first))
        second = (second - shift) * (-log_scale).exp()
        log_scale, shift = _scale_and_shift(self.of_second(second))
        first = (first - shift) * (-log_scale).exp()
        return torch.cat([first, second], dim=1)[:, self.order_back]

    def pull_back(self, x_BD: Any, gradient_BD: Any) -> Any:
        """From the gradient by this block's outputs to that by its inputs, at x_BD."""
        sizes = [self.first, x_BD.shape[1] - self.first]
        first, second = x_BD[:, self.order].split(sizes, dim=1)
        by_first, by_second = gradient_BD.split(sizes, dim=1)
        log_scale_first, shift = _scale_and_shift(self.of_second(second))
        scaled = first * log_scale_first.exp()
        log_scale_second, _ = _scale_and_shift(self.of_first(scaled + shift))
        by_raw = by_second * second * log_scale_second.exp() * _slope(log_scale_second)
        by_first = by_first + _pull_back(self.of_first, scaled + shift, torch.cat([by_raw, by_second], dim=1))
        by_raw = by_first * scaled * _slope(log_scale_first)
        by_second = by_second * log_scale_second.exp()
        by_second = by_second + _pull_back(self.of_second, second, torch.cat([by_raw, by_first], dim=1))
        return torch.cat([by_first * log_scale_first.exp(), by_second], dim=1)[:, self.order_back]


def _subnet(inputs: int, hidden: int, outputs: int) -> Any:
    layers: list[Any] = []
    for size in (inputs, hidden, hidden):
        layers += [nn.Linear(size, hidden), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(hidden, outputs))


def _scale_and_shift(output: Any) -> tuple[Any, Any]:
    """The logarithm of the scale, softly clamped to (-alpha, alpha), and the shift."""
    raw, shift = output.chunk(2, dim=1)
    return STEEPEST * CLAMP * torch.atan(raw / CLAMP), shift


def _slope(log_scale: Any) -> Any:
    """The derivative of the soft clamp, where it gives this logarithm of the scale."""
    return STEEPEST * torch.cos(log_scale / (STEEPEST * CLAMP)) ** 2


def _pull_back(subnet: Any, x: Any, gradient: Any) -> Any:
    """From the gradient by a subnet's outputs to that by its inputs, at x."""
    lit = []
    for layer in subnet:
        x = layer(x)
        lit.append(x > 0)
    for layer, on in zip(reversed(subnet), reversed(lit), strict=True):
        gradient = gradient @ layer.weight if isinstance(layer, nn.Linear) else gradient * on
    return gradient
