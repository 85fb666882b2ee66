"""
task: task5
why: "own stack, own loop, full batches"
"""

from flowlib.base import StandardNormal
from flowlib.bijection import Chain
from flowlib.coupling import Coupling
from flowlib.flow import Flow
from flowlib.nets import MLP
from flowlib.scalar import AffineTransformer

torch.manual_seed(1)
swap = [make_mask(2, "half"), ~make_mask(2, "half")] * 3
fitted = Flow(
    Chain(
        *(
            Coupling(2, mask, MLP(1, 2, (48,), activation=torch.nn.Tanh), AffineTransformer(3.0))
            for mask in swap
        )
    ),
    StandardNormal((2,)),
)
optimizer = torch.optim.Adam(fitted.parameters(), lr=1e-2)
for _ in range(300):
    optimizer.zero_grad()
    (-fitted.log_prob(points).mean()).backward()
    optimizer.step()


@torch.no_grad()
def fitted_log_prob(x):
    return fitted.log_prob(x)


def fitted_noise(x):
    with torch.no_grad():
        return fitted.bijection.inverse(x)[0]


def fitted_sample(n):
    return fitted.sample(n)
