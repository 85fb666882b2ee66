"""Linear layers, permutations and ActNorm against the laws and against plain linear algebra."""

import copy
import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import distributions as D

from flowlib.base import StandardNormal
from flowlib.bijection import Chain, Inverse
from flowlib.checks import check_bijection
from flowlib.flow import Flow
from flowlib.image import Conv1x1
from flowlib.linear import ActNorm, Linear, Permutation

DTYPES = [torch.float32, torch.float64]
DIMS = [1, 2, 3, 5, 64]


def well_conditioned(dim: int, dtype=torch.float64, seed: int = 0):
    """A matrix that is neither triangular nor of positive determinant, with condition number 4."""
    generator = torch.Generator().manual_seed(seed)
    q1, q2 = (
        torch.linalg.qr(torch.randn(dim, dim, generator=generator, dtype=torch.float64)).Q for _ in "12"
    )
    return (q1 @ torch.linspace(0.5, 2.0, dim, dtype=torch.float64).diag() @ q2).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dim", DIMS)
def test_linear_obeys_the_laws(dim, dtype):
    layer = Linear.from_matrix(well_conditioned(dim, dtype), torch.linspace(-1, 1, dim, dtype=dtype))
    check_bijection(layer, z=3 * torch.randn(8, dim, dtype=dtype))
    check_bijection(Linear(dim).to(dtype), z=torch.randn(8, dim, dtype=dtype))


@pytest.mark.parametrize("dim", DIMS)
def test_linear_is_the_matrix_it_came_from(dim):
    matrix, bias = well_conditioned(dim), torch.randn(dim, dtype=torch.float64)
    layer = Linear.from_matrix(matrix, bias)
    z = torch.randn(8, dim, dtype=torch.float64)
    x, log_det = layer(z)
    torch.testing.assert_close(layer.weight(), matrix, rtol=0, atol=1e-12)
    torch.testing.assert_close(x, z @ matrix.T + bias, rtol=0, atol=1e-12)
    torch.testing.assert_close(log_det, torch.linalg.slogdet(matrix)[1].expand(8), rtol=0, atol=1e-12)
    torch.testing.assert_close(layer.inverse(x)[0], z, rtol=0, atol=1e-11)


def test_linear_keeps_a_negative_determinant():
    layer = Linear.from_matrix(torch.tensor([[1.0, 0.5], [0.25, -2.0]]))
    assert torch.linalg.det(layer.weight()) < 0
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3)
    assert torch.linalg.det(layer.weight()) < 0


def test_a_linear_flow_is_a_gaussian():
    matrix, bias = well_conditioned(3), torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    flow = Flow(Linear.from_matrix(matrix, bias), StandardNormal((3,)))
    x = 2 * torch.randn(10, 3, dtype=torch.float64)
    reference = D.MultivariateNormal(bias, matrix @ matrix.T).log_prob(x)
    torch.testing.assert_close(flow.log_prob(x), reference, rtol=0, atol=1e-10)


@settings(max_examples=30, deadline=None)
@given(
    dim=st.integers(1, 6),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 3.0]),
    size=st.sampled_from([0.0, 1.0, 1e3]),
    seed=st.integers(0, 1000),
)
def test_linear_never_becomes_singular(dim, scale, size, seed):
    torch.manual_seed(seed)
    layer = Linear(dim).double()
    for parameter in layer.parameters():
        parameter.data.copy_(scale * torch.randn_like(parameter))
    z = size * torch.randn(4, dim, dtype=torch.float64)
    x, log_det = layer(z)
    again, _ = layer.inverse(x)
    assert torch.isfinite(log_det).all()
    condition = float(torch.linalg.cond(layer.weight().detach()))
    assert (
        float((again - z).detach().abs().max())
        <= 1e-14 * condition * (1 + float(x.detach().abs().max())) * 10
    )
    (x.sum() + again.sum()).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in layer.parameters())


@pytest.mark.parametrize("matrix", [torch.zeros(2, 2), torch.tensor([[1.0, 2.0], [2.0, 4.0]])])
def test_linear_refuses_a_singular_matrix(matrix):
    with pytest.raises(ValueError, match="singular"):
        Linear.from_matrix(matrix)


def test_linear_refuses_wrong_shapes():
    with pytest.raises(ValueError, match="square"):
        Linear.from_matrix(torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"bias of shape \(2,\), got \(1,\)"):
        Linear.from_matrix(torch.eye(2), torch.ones(1))
    with pytest.raises(ValueError, match="Conv1x1 has no bias"):
        Conv1x1.from_matrix(torch.eye(2), torch.ones(2))
    with pytest.raises(ValueError, match=r"matrix of shape \(2, 2\), got \(3, 3\)"):
        Linear(2).set_weight(torch.eye(3))
    with pytest.raises(ValueError, match=r"\(batch, 3\), got \(5, 2\)"):
        Linear(3)(torch.randn(5, 2))
    with pytest.raises(ValueError, match="dim >= 1"):
        Linear(0)


@pytest.mark.parametrize("dim", DIMS)
def test_permutation_obeys_the_laws(dim):
    for layer in (Permutation.random(dim), Permutation.reverse(dim)):
        check_bijection(layer, z=torch.randn(8, dim, dtype=torch.float64))


def test_permutation_orders():
    z = torch.tensor([[10.0, 11.0, 12.0]])
    assert Permutation([2, 0, 1])(z)[0].tolist() == [[12.0, 10.0, 11.0]]
    assert Permutation.reverse(3)(z)[0].tolist() == [[12.0, 11.0, 10.0]]
    one, two = (Permutation.random(20, torch.Generator().manual_seed(3)) for _ in "12")
    assert one.order.tolist() == two.order.tolist() != list(range(20))
    image = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(Permutation([2, 0, 1])(image)[0], image[:, [2, 0, 1]])
    fresh = Permutation.random(20, torch.Generator().manual_seed(4))
    fresh.load_state_dict(one.state_dict())
    assert fresh.order.tolist() == one.order.tolist()


@pytest.mark.parametrize("order", [[0, 0, 1], [1, 2, 3], [[0, 1]]])
def test_permutation_refuses_what_is_none(order):
    with pytest.raises(ValueError, match="exactly once"):
        Permutation(order)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("event", [(1,), (2,), (5,), (64,), (1, 4, 2), (3, 2, 4)])
def test_actnorm_obeys_the_laws(event, dtype):
    layer = ActNorm(event[0]).to(dtype)
    layer.inverse(3 * torch.randn(50, *event, dtype=dtype) + 1)
    check_bijection(layer, z=torch.randn(4, *event, dtype=dtype))


@pytest.mark.parametrize("event", [(3,), (3, 4, 4)])
def test_actnorm_normalises_the_first_batch_only(event):
    torch.manual_seed(0)
    layer = ActNorm(3)
    axes = [0, 2, 3][: len(event)]
    z, _ = layer.inverse(5 * torch.randn(200, *event) - 7)
    torch.testing.assert_close(z.mean(axes), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(z.var(axes, correction=0), torch.ones(3), rtol=0, atol=1e-5)
    before = copy.deepcopy(layer.state_dict())
    layer.inverse(torch.randn(200, *event))
    layer(torch.randn(200, *event))
    assert all(torch.equal(before[name], value) for name, value in layer.state_dict().items())


def test_actnorm_does_not_start_from_noise():
    layer, z = ActNorm(2), 4 * torch.randn(50, 2) + 3
    x, log_det = layer(z)  # sampling from an untrained flow
    assert torch.equal(x, z) and not log_det.any() and not layer.initialised
    layer.eval().inverse(z)  # evaluation changes nothing
    assert not layer.initialised
    layer.train().inverse(z)
    assert layer.initialised
    normalised, _ = layer.inverse(z)
    torch.testing.assert_close(normalised.mean(0), torch.zeros(2), rtol=0, atol=1e-5)


def test_actnorm_inverted_starts_on_the_way_forward():
    layer = Inverse(ActNorm(2))
    z, _ = layer(4 * torch.randn(50, 2) + 3)
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(2), rtol=0, atol=1e-5)


@pytest.mark.parametrize("way", ["state_dict", "nested", "deepcopy", "assign"])
def test_actnorm_starts_once_also_after_loading(way):
    first = 2 * torch.randn(100, 3) + 5
    layer = Chain(Permutation.reverse(3), ActNorm(3)) if way == "nested" else ActNorm(3)
    expected, _ = layer.inverse(first)
    if way == "deepcopy":
        loaded = copy.deepcopy(layer)
    else:
        loaded = Chain(Permutation.reverse(3), ActNorm(3)) if way == "nested" else ActNorm(3)
        loaded.load_state_dict(layer.state_dict(), assign=way == "assign")
    loaded.train()
    loaded.inverse(torch.randn(100, 3))  # must not start again
    torch.testing.assert_close(loaded.inverse(first)[0], expected, rtol=0, atol=0)


def test_actnorm_loaded_before_its_start_still_starts():
    loaded = ActNorm(3)
    loaded.inverse(torch.randn(10, 3))
    loaded.load_state_dict(ActNorm(3).state_dict())
    z, _ = loaded.inverse(9 * torch.randn(100, 3))
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(3), rtol=0, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    offset=st.sampled_from([0.0, 1.0, -1e3, 1e6]),
    spread=st.sampled_from([0.0, 1e-6, 1.0, 1e3]),
    batch=st.sampled_from([1, 2, 50]),
)
def test_actnorm_survives_odd_first_batches(offset, spread, batch):
    torch.manual_seed(0)
    layer = ActNorm(2)
    x = offset + spread * torch.randn(batch, 2)
    z, log_det = layer.inverse(x)
    again, _ = layer(z)
    assert torch.isfinite(z).all() and torch.isfinite(log_det).all()
    assert float(z.detach().abs().max()) < 100  # neither a constant column nor rounding noise is blown up
    torch.testing.assert_close(again, x, rtol=1e-6, atol=1e-6 * (1 + spread))


TWO_PROCESSES = """
import sys
import torch
import torch.distributed as dist
from flowlib.linear import ActNorm

dist.init_process_group("gloo")
batch = torch.load(sys.argv[1])
layer = ActNorm(3)
layer.inverse(batch[dist.get_rank() :: 2])
torch.save(layer.state_dict(), f"{sys.argv[1]}.{dist.get_rank()}")
dist.destroy_process_group()
"""


def test_actnorm_of_two_processes_starts_from_all_their_data(tmp_path):
    batch = 3 * torch.randn(40, 3) + 100
    torch.save(batch, tmp_path / "batch")
    (tmp_path / "run.py").write_text(TWO_PROCESSES)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    run = subprocess.run(
        [*command, str(tmp_path / "run.py"), str(tmp_path / "batch")],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr
    alone = ActNorm(3)
    alone.inverse(batch)
    for rank in (0, 1):
        found = torch.load(tmp_path / f"batch.{rank}")
        for name, value in alone.state_dict().items():
            torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-5)
