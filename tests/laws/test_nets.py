"""Conditioners: shapes, identity at the start, context, and who sees whom in a masked net."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from flowlib.nets import MLP, ConvNet, MaskedMLP, ResidualMLP

NETS = {
    "MLP": lambda **kw: (MLP(3, 8, (16, 12), **kw), torch.randn(5, 3), (5, 8)),
    "linear": lambda **kw: (MLP(3, 8, (), **kw), torch.randn(5, 3), (5, 8)),
    "ResidualMLP": lambda **kw: (ResidualMLP(3, 8, (16, 16), **kw), torch.randn(5, 3), (5, 8)),
    "ConvNet": lambda **kw: (ConvNet(3, 8, (6, 4), **kw), torch.randn(5, 3, 4, 6), (5, 8, 4, 6)),
    "MaskedMLP": lambda **kw: (MaskedMLP(3, 8, (16, 12), **kw), torch.randn(5, 3), (5, 8, 3)),
}


def shaken(net: nn.Module) -> nn.Module:
    """The net away from its start, with every weight drawn anew."""
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5)
    return net


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("name", NETS)
def test_shapes_start_and_context(name, context):
    net, x, shape = NETS[name](context=context)
    rows = torch.randn(5, context) if context else None
    start = net(x, rows)
    assert start.shape == shape and bool((start == 0).all()), "a net must start with zeros"
    shaken(net)
    before = net(x, rows)
    assert bool((before != 0).any())
    if context:
        assert not torch.equal(net(x, rows + 1), before), "the context changes nothing"
        with pytest.raises(ValueError, match=r"needs a context of shape \(5, 2\)"):
            net(x)
        with pytest.raises(ValueError, match="expected a context"):
            net(x, rows[:, :1])
    else:
        with pytest.raises(ValueError, match="without context"):
            net(x, torch.randn(5, 2))
    assert net.double()(x.double(), None if rows is None else rows.double()).dtype == torch.float64


@pytest.mark.parametrize("name", ["MLP", "linear", "ResidualMLP", "MaskedMLP"])
def test_a_random_start_on_request(name):
    net, x, _ = NETS[name](zero_start=False)
    assert bool((net(x) != 0).any())


@pytest.mark.parametrize("name", NETS)
def test_rows_do_not_mix(name):
    net, x, _ = NETS[name]()
    shaken(net)
    other = x.clone()
    other[1:] += 1
    assert torch.allclose(net(other)[0], net(x)[0], atol=1e-5)


def test_widths_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="blocks of one width"):
        ResidualMLP(2, 2, (8, 16))
    with pytest.raises(ValueError, match="blocks of one width"):
        ResidualMLP(2, 2, ())
    with pytest.raises(ValueError, match="at least one hidden layer"):
        ConvNet(2, 2, ())
    with pytest.raises(ValueError, match="at least one hidden layer"):
        MaskedMLP(2, 2, ())
    with pytest.raises(ValueError, match="once"):
        MaskedMLP(3, 2, (8,), order=[0, 1, 1])


def dependence(net: MaskedMLP, dim: int, context: int) -> torch.Tensor:
    """(D, D) matrix, True where the parameters of variable i change with x_j; summed over many points."""
    x = torch.randn(40, dim, dtype=torch.float64)
    rows = torch.randn(40, context, dtype=torch.float64) if context else None
    jacobian = torch.autograd.functional.jacobian(lambda x: net(x, rows).sum(0), x)  # count, D, 40, D
    return (jacobian != 0).any(2).any(0)


@pytest.mark.filterwarnings("ignore:a masked net with a hidden layer")
@settings(max_examples=60, deadline=None)
@given(
    order=st.integers(1, 7).flatmap(lambda dim: st.permutations(range(dim))),
    widths=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    context=st.sampled_from([0, 2]),
    seed=st.integers(0, 1000),
)
def test_masks_for_any_order_and_width(order, widths, context, seed):
    torch.manual_seed(seed)
    dim = len(order)
    net = shaken(MaskedMLP(dim, 2, widths, order=order, context=context, activation=nn.Tanh)).double()
    place = torch.argsort(torch.tensor(order))
    allowed = place[:, None] > place
    seen = dependence(net, dim, context)
    assert not bool((seen & ~allowed).any()), "an output sees its own input or a later one"
    if min(widths) >= 2 * dim:
        assert bool((seen == allowed).all()), "an output does not see an earlier input"


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_context_reaches_the_first_variable(dim):
    torch.manual_seed(0)
    net = shaken(MaskedMLP(dim, 2, (16, 16), context=3)).double()
    x, rows = torch.randn(9, dim).double(), torch.randn(9, 3).double()
    jacobian = torch.autograd.functional.jacobian(lambda rows: net(x, rows).sum(0), rows)
    assert bool((jacobian != 0).any(2).all()), "some parameters ignore the context"


@pytest.mark.parametrize("context", [0, 2])
def test_hidden_units_are_sorted_and_masks_block_triangular(context):
    net = MaskedMLP(6, 2, (32, 20), context=context)
    for degrees in net.degrees:
        assert bool((degrees.diff() >= 0).all())
        assert degrees.min() == (0 if context else 1) and degrees.max() == 5
    assert not any("mask" in name for name in net.state_dict()), "masks are fixed: not part of the state"


@pytest.mark.parametrize(
    "activation",
    [
        lambda: nn.Sequential(nn.LayerNorm(16), nn.ReLU()),
        lambda: nn.LayerNorm(5),  # whatever the width of the net
        lambda: nn.BatchNorm1d(16),
        lambda: nn.PReLU(16),
        lambda: nn.PReLU(5),
        lambda: nn.Softmax(dim=1),
        lambda: nn.Softmax(dim=0),
        nn.GLU,
    ],
)
def test_an_activation_that_mixes_numbers_is_refused_in_a_masked_net(activation):
    with pytest.raises(ValueError, match="must act on each number alone"):
        MaskedMLP(4, 2, (16,), activation=activation)


@pytest.mark.parametrize(
    "activation", [nn.ReLU, nn.Tanh, nn.GELU, nn.PReLU, nn.SiLU, nn.Dropout, nn.Identity]
)
def test_elementwise_activations_are_taken_and_left_as_they_are(activation):
    net = MaskedMLP(4, 2, (16,), activation=activation)
    assert net.activation.training
    for ours, fresh in zip(net.activation.parameters(), activation().parameters(), strict=True):
        torch.testing.assert_close(ours, fresh)


@pytest.mark.parametrize(("dim", "hidden", "context"), [(8, 4, 0), (8, (16, 6), 0), (8, 7, 2)])
def test_a_masked_net_too_narrow_for_its_variables_warns(dim, hidden, context):
    with pytest.warns(UserWarning, match="does not model every p"):
        MaskedMLP(dim, 2, hidden, context=context)


@pytest.mark.parametrize("context", [0, 2])
def test_a_masked_net_without_a_warning_models_every_conditional(context):
    dim = 6
    net = shaken(MaskedMLP(dim, 1, (dim if context else dim - 1,), context=context, activation=nn.Tanh))
    given = torch.randn(1, context) if context else None
    x = torch.randn(1, dim)
    jacobian = torch.autograd.functional.jacobian(lambda x: net(x, given)[0, 0], x)[:, 0]
    assert (jacobian.abs().tril(-1) > 0).equal(torch.ones(dim, dim).tril(-1) > 0)
    assert not jacobian.triu().any()
