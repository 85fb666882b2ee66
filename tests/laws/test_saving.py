"""A saved flow comes back to the last bit; a file that is none, or that lies, is refused and runs nothing."""

from __future__ import annotations

import inspect
import json
import math
import time

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import distributions as td
from torch import nn

import flowlib
from flowlib import (
    CNF,
    IAF,
    MAF,
    MLP,
    NSF,
    ActNorm,
    AdditiveTransformer,
    Affine,
    AffineToZ,
    AffineTransformer,
    Base,
    Bijection,
    Chain,
    Checkpoint,
    CircularSplineTransformer,
    Continuous,
    Conv1x1,
    ConvNet,
    Coupling,
    DiagonalNormal,
    Elementwise,
    Exp,
    Flow,
    Glow,
    GlowStep,
    Henon,
    Inverse,
    LeakyReLU,
    Linear,
    LipschitzConvNet,
    LogisticMixtureTransformer,
    MaskedAutoregressive,
    MixtureCDF,
    MixtureCDFTransformer,
    MixtureNormal,
    Permutation,
    PiecewiseLinearTransformer,
    PiecewiseQuadraticTransformer,
    Planar,
    PlanarFlow,
    Radial,
    RadialFlow,
    RealNVP,
    Residual,
    ResidualFlow,
    ResidualMLP,
    Reversible,
    Sigmoid,
    SplineTransformer,
    Squeeze,
    Standardizer,
    StandardNormal,
    StudentT,
    Sylvester,
    UniformAngles,
    VelocityMLP,
)  # fmt: skip
from flowlib.image import Split, image_coupling, logit_pixels
from flowlib.saving import registered


def on(layer, *shape):
    return Flow(layer, StandardNormal(shape))


FLOWS = {
    "RealNVP": lambda: RealNVP(3, 2, 8, context=2, activation=nn.Tanh),
    "NSF": lambda: NSF(2, 2, [8, 8], bins=4, bound=3.0),
    "MAF": lambda: MAF(3, 2, 8, transformer="spline"),
    "MAF of a transformer": lambda: MAF(3, 2, 8, transformer=AffineTransformer(bound=1.5), context=2),
    "IAF": lambda: IAF(3, 2, (8,), activation=lambda: nn.LeakyReLU(0.3)),
    "a torus": lambda: RealNVP(2, 2, 8, transformer=CircularSplineTransformer(4, shift=False)),
    "a torus of another period": lambda: MAF(2, 1, 8, transformer=CircularSplineTransformer(4, period=2.0)),
    "logistics": lambda: RealNVP(2, 2, 8, transformer=LogisticMixtureTransformer(2, spread=0.5)),
    "pieces": lambda: Flow(Elementwise(PiecewiseLinearTransformer(4), (2,)), UniformAngles(2)),
    "parabolas": lambda: MAF(2, 1, 8, transformer=PiecewiseQuadraticTransformer(4), base=StudentT(2, df=3.0)),
    "PlanarFlow": lambda: PlanarFlow(2, 3, "density"),
    "RadialFlow": lambda: RadialFlow(2, layers=3),
    "Glow": lambda: Glow((1, 4, 4), 2, 1, 8, context=2),
    "Glow checkpointed": lambda: Glow((1, 4, 4), levels=1, steps=1, hidden=8, checkpointed=True),
    "CNF": lambda: CNF(2, (8, 8), steps=3, method="midpoint", activation="softplus", context=1),
    "NICE": lambda: RealNVP(2, 2, 8, transformer=AdditiveTransformer()),
    "ResidualFlow": lambda: ResidualFlow(2, 2, 8, lipschitz=0.8, solver="newton", activation=nn.ELU),
    "residual image": lambda: on(Chain(Residual(LipschitzConvNet((1, 2, 2), 4)), Checkpoint(Exp())), 1, 2, 2),
    "Reversible": lambda: on(Reversible(Chain(Henon(1.2, -1.0), Radial(2))), 2),
    "Linear": lambda: on(Linear.from_matrix(torch.tensor([[0.0, 2.0], [1.0, 3.0]])), 2),
    "Permutation": lambda: on(Permutation.random(4), 4),
    "ActNorm": lambda: on(ActNorm(2), 2),
    "Planar and Inverse": lambda: on(Chain(Inverse(Planar(2)), Radial(2), Planar(2)), 2),
    "Sylvester": lambda: on(Sylvester(4, rank=2), 4),
    "scalars": lambda: on(
        Chain(Affine(1.0, torch.tensor([2.0, -3.0])), LeakyReLU(0.3), Exp(), Inverse(Exp())), 2
    ),
    "logit": lambda: on(Chain(logit_pixels(), Inverse(Sigmoid())), 1, 2, 2),
    "Elementwise": lambda: on(Elementwise(SplineTransformer(4), (3,)), 3),
    "MixtureCDF": lambda: on(Chain(MixtureCDF(3, (2,), spread=1.0), Inverse(Sigmoid())), 2),
    "Coupling": lambda: on(
        Coupling(
            4, torch.tensor([True, False, False, True]), ResidualMLP(2, 18, (8, 8)), MixtureCDFTransformer(3)
        ),
        *(4,),
    ),
    "Coupling shares": lambda: shares(),
    "images": lambda: on(
        Chain(
            Squeeze(),
            Split(Chain(ActNorm(2))),
            Checkpoint(GlowStep(image_coupling((4, 2, 2), 8), Conv1x1(4), ActNorm(4))),
            Coupling((4, 2, 2), "channel", ConvNet(2, 4, 8), AffineToZ()),
            Inverse(Squeeze()),
        ),
        *(1, 4, 4),
    ),
    "MaskedAutoregressive": lambda: on(
        MaskedAutoregressive(3, 8, AffineToZ(), order=[2, 0, 1], activation=nn.ELU), 3
    ),
    "Continuous": lambda: on(Continuous(VelocityMLP(2, 8), steps=2, generator=torch.Generator()), 2),
    "Standardizer": lambda: on(Standardizer.fit(torch.rand(50, 2) + 1, log=[True, False]), 2),
    "DiagonalNormal": lambda: Flow(Linear(2), DiagonalNormal(2)),
    "MixtureNormal": lambda: Flow(Linear(2), MixtureNormal(2, 3)),
    "StudentT": lambda: Flow(Linear(2), StudentT(2, df=3)),
    "Base": lambda: Flow(Inverse(MixtureCDF(2, (2,))), td.Beta(torch.tensor([2.0, 3.0]), 5.0)),
    "Base that learns": lambda: Flow(Linear(2), td.Normal(nn.Parameter(torch.zeros(())), torch.ones(2))),
    "Base of a matrix": lambda: Flow(
        Linear(2), td.MultivariateNormal(torch.zeros(2), torch.tensor([[2.0, 0.3], [0.3, 1.0]]))
    ),
}  # fmt: skip


def shares():
    """One layer used twice: there is one after loading, too."""
    layer = Coupling(4, "half", MLP(2, 4, 8), AffineTransformer())
    return on(Chain(layer, Permutation.reverse(4), layer), 4)


def moved(flow):
    """As after some training: nothing is where it started, nothing of it trained on the way."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in flow.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return flow.eval()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "flow.safetensors"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", FLOWS)
def test_it_comes_back_to_the_last_bit(name, dtype, file):
    torch.manual_seed(0)
    flow = moved(FLOWS[name]()).to(dtype)
    given = torch.randn(6, flow.context, dtype=dtype) if flow.context else None
    x = flow.sample(6, given)
    flow.save(file)
    before = torch.get_rng_state()
    twin = Flow.load(file)
    assert torch.equal(torch.get_rng_state(), before)
    assert type(twin) is type(flow) and not twin.training
    assert repr(twin) == repr(flow).replace("covariance_matrix", "scale_tril")
    assert torch.equal(twin.log_prob(x, given), flow.log_prob(x, given))
    draws = [f.sample(6, given, generator=torch.Generator().manual_seed(1)) for f in (flow, twin)]
    assert torch.equal(*draws) and draws[1].dtype == dtype
    sizes = [[(n, p.shape, p.dtype, p.requires_grad) for n, p in f.named_parameters()] for f in (flow, twin)]
    assert sizes[0] == sizes[1]


def test_all_public_layers_are_tried():
    """A class that is added to flowlib must be saved above as well, or be named here with a reason."""
    seen = {type(part).__name__ for make in FLOWS.values() for part in make().modules()}
    bases = {"Bijection", "Transformer"}
    public = {name for name in flowlib.__all__ if issubclass(kind(name), nn.Module)} - bases
    assert public - seen == {"VariationalDequantization"}  # no part of a flow


def kind(name):
    found = getattr(flowlib, name)
    return found if isinstance(found, type) else int


def test_frozen_parameters_stay_frozen_and_a_started_actnorm_started(file):
    flow = on(Chain(Linear(2).requires_grad_(False), ActNorm(2)), 2)
    flow.log_prob(torch.randn(50, 2))
    flow.save(file)
    twin = Flow.load(file)
    assert [p.requires_grad for p in twin.parameters()] == [p.requires_grad for p in flow.parameters()]
    x = 100 + torch.randn(50, 2)
    assert torch.equal(twin.train().log_prob(x), flow.log_prob(x))


def test_a_flow_is_loaded_by_its_class_or_by_flow(file):
    RealNVP(2, 2, 8).save(file)
    assert isinstance(RealNVP.load(file), RealNVP)
    with pytest.raises(TypeError, match="holds a RealNVP, not a MAF"):
        MAF.load(file)


# ---------------------------------------------------------------------------- classes of one's own


class Shift(Bijection):
    def __init__(self, by: float):
        super().__init__()
        self.by = nn.Parameter(torch.tensor([by]))

    def forward(self, z, context=None):
        return z + self.by, z.new_zeros(len(z))

    def inverse(self, x, context=None):
        return x - self.by, x.new_zeros(len(x))


def test_a_class_of_ones_own_is_saved_once_it_is_registered(file, monkeypatch):
    monkeypatch.setattr(flowlib.saving, "_OWN", {})
    flow = on(Chain(Shift(2.0), Linear(1)), 1)
    with pytest.raises(ValueError, match=r"Shift cannot be saved: 'Shift' is none of flowlib's.*@flowlib"):
        flow.save(file)
    assert not file.exists()
    assert flowlib.flow.register(Shift) is Shift is registered("Shift")
    flow.save(file)
    assert Flow.load(file).bijection[0].by.item() == 2.0
    monkeypatch.setattr(flowlib.saving, "_OWN", {})
    with pytest.raises(ValueError, match=r"'Shift' is none of flowlib's classes.*register"):
        Flow.load(file)


def test_what_cannot_be_registered():
    with pytest.raises(TypeError, match="modules that are Built"):
        flowlib.flow.register(nn.Linear)
    with pytest.raises(ValueError, match="flowlib has a class Linear"):
        flowlib.flow.register(type("Linear", (Shift,), {}))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: on(Coupling(4, "half", nn.Sequential(nn.Linear(2, 4)), AffineTransformer()), 4), "Sequent"),
        (lambda: Flow(Linear(2), td.Gumbel(torch.zeros(2), torch.ones(2))), "a base that is a Gumbel"),
        (lambda: on(Chain(Linear(2).double(), Linear(2)), 2), "one dtype"),
        (lambda: replaced(), "changed after it was built.*LeakyReLU, built as a Exp"),
        (lambda: altered(), r"changed after it was built.*step_count is 9, built as 2"),
        (lambda: on(type("Linear", (Linear,), {})(2), 2), "another class than the one of flowlib"),
    ],
)  # fmt: skip
def test_what_cannot_come_back_the_same_is_not_saved(make, says, file):
    with pytest.raises(ValueError, match=says):
        make().save(file)
    assert not file.exists()


def replaced():
    flow = on(Chain(Exp(), Linear(2)), 2)
    flow.bijection.layers[0] = LeakyReLU()
    return flow


def altered():
    flow = CNF(2, 8, steps=2)
    flow.bijection.step_count = 9
    return flow


# ---------------------------------------------------------------------------- files that lie


def parts(flow, file):
    flow.save(file)
    with safe_open(file, framework="pt") as opened:
        said = json.loads(opened.metadata()["flowlib"])
        return said, {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118


def forged(said, tensors, file):
    text = said if isinstance(said, str) else json.dumps(said)
    save_file(tensors, file, metadata={"flowlib": text})
    return file


def change(path, value):
    """A forger who sets said[path...] = value."""

    def forge(said, tensors):
        place = said
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return forge


def drop(said, tensors):
    tensors.pop(next(name for name in tensors if name.startswith("weight")))


def add(said, tensors):
    tensors["weight of nothing"] = torch.zeros(2)


def widen(said, tensors):
    name = next(name for name in tensors if name.startswith("weight") and tensors[name].is_floating_point())
    tensors[name] = tensors[name].double()


def stretch(said, tensors):
    name = next(name for name in tensors if name.startswith("weight") and tensors[name].dim() == 2)
    tensors[name] = torch.zeros(99, 99)


MODEL = ["modules", 0, "class"]
NAMED = ["modules", 0, "named"]
LIES = {
    "an unknown class": (change(MODEL, "os.system"), "'os.system' is none of flowlib's classes"),
    "a class of torch": (change(MODEL, "Sequential"), "'Sequential' is none of flowlib's classes"),
    "a function of flowlib": (change(MODEL, "fit"), "'fit' is none of flowlib's classes"),
    "a class that is no text": (change(MODEL, ["RealNVP"]), "cannot be built"),
    "an unknown argument": (change([*NAMED, "shell"], "rm"), "unexpected keyword argument 'shell'"),
    "a text for a number": (change(["modules", 0, "arguments"], ["two"]), "cannot be built"),
    "an activation that is none": (
        change([*NAMED, "activation"], "__import__('os')"),
        "activation must make a module",
    ),
    "arguments that are no list": (change(["modules", 0, "arguments"], {"a": 1}), "list of arguments"),
    "a value of no kind": (change([*NAMED, "context"], {"pickle": "gASV"}), "no value that a file may hold"),
    "a part that comes later": (change([*NAMED, "context"], {"module": 7}), "points at nothing"),
    "a part before the first": (change([*NAMED, "context"], {"module": -1}), "points at nothing"),
    "itself": (change([*NAMED, "context"], {"module": 0}), "points at nothing"),
    "a wide net": (change([*NAMED, "hidden"], [10**9]), "larger than all weights"),
    "many wide nets": (change([*NAMED, "hidden"], [8000] * 400), "far more than the weights"),
    "many layers": (change([*NAMED, "layers"], 8000), "far more than the weights"),
    "endless layers": (change([*NAMED, "layers"], 10**18), "larger than all weights"),
    "another version": (change(["format"], 99), "format 1, got 99"),
    "no version": (lambda said, tensors: said.pop("format"), "format 1, got None"),
    "no such flow": (change(["flow"], 5), "lacks something"),
    "an unknown precision": (change(["dtype"], "torch.float1"), "lacks something"),
    "modules that are none": (change(["modules"], 3), "lacks something"),
    "no flow at all": (change(["modules"], [{"class": "MLP", "arguments": [2, 2]}]), "describes a MLP"),
    "a weight too few": (drop, "weights do not fit: 1 missing"),
    "a weight too many": (add, "1 too many"),
    "a weight in another precision": (widen, "should be torch.float32.*is torch.float64"),
    "an order that is none": (
        lambda said, tensors: tensors["weight bijection.layers.1.order"].fill_(0),
        "no order and its way back",
    ),
    "a way back that is another": (
        lambda said, tensors: tensors["weight bijection.layers.1.back"].copy_(torch.tensor([1, 0])),
        "no order and its way back",
    ),
    "a sign that stretches": (
        lambda said, tensors: tensors["weight bijection.layers.1.sign"].fill_(3.0),
        "other numbers than 1 and -1",
    ),
    "a mask": (
        lambda said, tensors: tensors.update({"weight bijection.layers.0.mask": torch.ones(2)}),
        "1 too many",
    ),
    "a weight of another shape": (stretch, r"of shape .* is torch.float32 of \(99, 99\)"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_file_that_lies_is_refused_in_words(name, file):
    forge, says = LIES[name]
    flow = RealNVP(2, layers=2, hidden=[8])
    if name.startswith(("an order", "a way back", "a sign")):
        flow = on(Chain(RealNVP(2, 1, 8).bijection, Linear(2)), 2)
    said, tensors = parts(flow, file)
    forge(said, tensors)
    started = time.process_time()
    with pytest.raises(ValueError, match=rf"flow.safetensors is no flow that can be loaded: .*{says}"):
        Flow.load(forged(said, tensors, file))
    assert time.process_time() - started < 20


def test_a_mask_or_order_that_blows_up_is_refused(file):
    said, tensors = parts(MAF(2, layers=1, hidden=[8]), file)
    said["modules"][0]["arguments"] = [8000]
    said["modules"][0]["named"]["hidden"] = [8000]
    with pytest.raises(ValueError, match="far more than the weights"):
        Flow.load(forged(said, tensors, file))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not JSON", "Expecting value"),
        ("[" * 100_000, "nested too deeply|Expecting|recursion"),
        ("7", "format 1, got 7"),
        ("null", "format 1, got None"),
        (json.dumps({"format": 1}), "lacks something"),
        ("x" * 5_000_000, "5,000,000 letters"),
    ],
)
def test_a_description_that_is_none(text, says, file):
    with pytest.raises(ValueError, match=says):
        Flow.load(forged(text, {"weight a": torch.zeros(1)}, file))


def test_files_that_are_none(file, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        Flow.load(file)
    file.write_bytes(b"\x80\x04cos\nsystem\n(S'touch /tmp/pwned'\ntR.")
    with pytest.raises(ValueError, match="no flow that can be loaded"):
        Flow.load(file)
    torch.save(RealNVP(2, 2, 8), file)
    with pytest.raises(ValueError, match="no flow that can be loaded"):
        Flow.load(file)
    save_file({"a": torch.zeros(2)}, file)
    with pytest.raises(ValueError, match="weights only"):
        Flow.load(file)
    RealNVP(2, 2, 8).save(file)
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(ValueError, match="no flow that can be loaded"):
        Flow.load(file)
    with pytest.raises(ValueError, match="no flow that can be loaded"):
        Flow.load(tmp_path)


def test_infinite_arguments_survive(file):
    flow = on(Chain(Elementwise(AffineTransformer(bound=3.0), (1,)), Clamped(math.inf)), 1)
    flow.save(file)
    assert math.isinf(Flow.load(file).bijection[1].most)


@flowlib.flow.register
class Clamped(LeakyReLU):
    def __init__(self, most: float):
        super().__init__()
        self.most = most


def test_a_base_that_learns_one_number_for_all_learns_one_after_loading(file):
    loc = nn.Parameter(torch.zeros(()))
    flow = Flow(Linear(2), Base(td.Normal(loc, torch.ones(2))))
    flow.save(file)
    twin = Flow.load(file)
    assert [p.shape for p in twin.base.parameters()] == [torch.Size([])]


def test_a_class_shows_what_it_is_built_with():
    """In help() and in editors; `Built` sees the arguments first, but takes none of its own."""
    assert list(inspect.signature(NSF).parameters)[:3] == ["dim", "layers", "hidden"]
    assert list(inspect.signature(Standardizer).parameters) == ["shift", "scale", "log"]
    assert list(inspect.signature(NSF(2)).parameters) != list(inspect.signature(NSF).parameters)
