from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the [torch] extra")
pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def flow() -> Any:
    """A small flow in double precision, its weights large enough to bend."""
    from blemish.methods.trained.flow import Flow
    from blemish.methods.trained.train import seeded

    with seeded(3):
        made = Flow(7, blocks=8, hidden=12).double()
    for parameter in made.parameters():
        parameter.data *= 1.6
    return made


def test_the_log_determinant_is_that_of_the_jacobian(flow: Any) -> None:
    points = torch.from_numpy(np.random.default_rng(0).standard_normal((5, 7)))
    _, log_determinants = flow(points)
    for point, ours in zip(points, log_determinants, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda x: flow(x[None])[0][0], point)
        sign, wanted = np.linalg.slogdet(jacobian.numpy())
        assert sign != 0
        assert ours.item() == pytest.approx(wanted, abs=1e-9)


def test_the_flow_can_be_walked_back(flow: Any) -> None:
    points = torch.from_numpy(np.random.default_rng(1).standard_normal((64, 7))).float()
    single = flow.float()
    with torch.no_grad():
        back = single.inverse(single(points)[0])
    flow.double()
    np.testing.assert_allclose(back.numpy(), points.numpy(), atol=1e-5)


def test_the_written_out_gradient_is_autograds(flow: Any) -> None:
    points = torch.from_numpy(np.random.default_rng(4).standard_normal((6, 7))).requires_grad_()
    (flow(points)[0] ** 2).mean(dim=1).sum().backward()
    with torch.no_grad():
        ours = flow.gradient(points)
    np.testing.assert_allclose(ours.numpy(), points.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_scales_stay_within_the_soft_clamp() -> None:
    from blemish.methods.trained.flow import CLAMP, Flow

    flow = Flow(6, blocks=1, hidden=4)
    for parameter in flow.parameters():
        parameter.data *= 1e4
    _, log_determinant = flow(torch.full((1, 6), 100.0))
    assert abs(log_determinant.item()) <= 6 * CLAMP


def test_permutations_are_fixed_by_the_block_and_mix_both_halves() -> None:
    from blemish.methods.trained.flow import Flow

    first, second = Flow(8, blocks=3, hidden=2), Flow(8, blocks=3, hidden=2)
    orders = [block.order.tolist() for block in first.blocks]
    assert orders == [block.order.tolist() for block in second.blocks]
    assert len({tuple(order) for order in orders}) == 3


def test_the_permutation_counts_as_no_stretching_and_gradients_flow_everywhere(flow: Any) -> None:
    from blemish.methods.trained.differnet import negative_log_likelihood

    points = torch.from_numpy(np.random.default_rng(2).standard_normal((9, 7)))
    z, log_determinant = flow(points)
    wanted = (0.5 * (z**2).sum(dim=1) - log_determinant).mean() / 7
    assert negative_log_likelihood(flow, points).item() == pytest.approx(wanted.item())
    negative_log_likelihood(flow, points).backward()
    assert all(bool(parameter.grad.abs().sum() > 0) for parameter in flow.parameters())
