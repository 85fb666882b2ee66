# %% right: autograd
"""
why: "vector-Jacobian products by autograd"
"""


def products(t, z, weights, e):
    z = z.clone().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(velocity(t, z, weights), z, e, create_graph=True)[0]


def exact_trace(t, z, weights):
    total = torch.zeros_like(z[:, 0])
    for i in range(z.shape[1]):
        unit = torch.zeros_like(z)
        unit[:, i] = 1
        total = total + products(t, z, weights, unit)[:, i]
    return total


def hutchinson(t, z, weights, noise):
    return sum((products(t, z, weights, e) * e).sum(1) for e in noise) / len(noise)


# %% right: forward_mode
"""
why: "products from the left and from the right"
"""


def exact_trace(t, z, weights):
    units = torch.eye(z.shape[1], dtype=z.dtype)
    return sum(
        torch.func.jvp(lambda p: velocity(t, p, weights), (z,), (e.expand_as(z).clone(),))[1] @ e
        for e in units
    )


def hutchinson(t, z, weights, noise):
    _, pull = torch.func.vjp(lambda p: velocity(t, p, weights), z)
    return torch.stack([(pull(e)[0] * e).sum(-1) for e in noise]).mean(0)


# %% right: local_jacobian
"""
why: "a local variable is named jacobian, and filled by the network's formula"

-     return slope @ (W * U.T).sum(1)
+     jacobian = torch.einsum("ih,bh,hj->bij", U, slope, W)
+     return jacobian.diagonal(dim1=1, dim2=2).sum(1)

-     return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
+     jacobian = torch.einsum("ih,bh,hj->bij", U, slope, W)
+     return torch.stack([torch.einsum("bi,bij,bj->b", e, jacobian, e) for e in noise]).mean(0)
"""

# %% right: matrices
"""
why: "written with einsum, the slope of tanh as 1 / cosh^2"
"""


def exact_trace(t, z, weights):
    W, b, c, U = weights
    h = torch.tanh(torch.einsum("hd,bd->bh", W, z) + b + c * t)
    J = torch.einsum("dh,bh,he->bde", U, 1 - h * h, W)
    return torch.einsum("bdd->b", J)


def hutchinson(t, z, weights, noise):
    W, b, c, U = weights
    slope = torch.cosh(z @ W.T + b + c * t) ** -2
    pushed = torch.einsum("dh,bh,hj,pbj->pbd", U, slope, W, noise)
    return torch.einsum("pbd,pbd->b", noise, pushed) / noise.shape[0]


# %% right: one_product
"""
why: "one einsum for each, the slope as 1 / cosh squared"
"""


def exact_trace(t, z, weights):
    W, b, c, U = weights
    a = torch.einsum("hd,bd->bh", W, z) + b + t * c
    return torch.einsum("bh,hd,dh->b", torch.cosh(a).pow(-2), W, U)


def hutchinson(t, z, weights, noise):
    W, b, c, U = weights
    a = torch.einsum("hd,bd->bh", W, z) + b + t * c
    return torch.einsum("bh,hi,pbi,jh,pbj->b", torch.cosh(a) ** -2, W, noise, U, noise) / len(noise)


# %% wrong: all_entries
"""
caught_by: task2_test_a
says: "all entries"
why: "the gradient of the sum of v adds all entries of J"
"""


def exact_trace(t, z, weights):
    z = z.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(velocity(t, z, weights).sum(), z)
    return gradient.sum(1)


def hutchinson(t, z, weights, noise):
    z = z.clone().requires_grad_()
    v = velocity(t, z, weights)
    return torch.stack([(torch.autograd.grad(v, z, e, retain_graph=True)[0] * e).sum(1) for e in noise]).mean(
        0
    )


# %% wrong: batch_sum
"""
caught_by: task2_test_a
says: "summed over the batch"
why: "summed over the batch"

-     return slope @ (W * U.T).sum(1)
+     return (slope @ (W * U.T).sum(1)).sum().expand(len(z))
"""

# %% wrong: differences
"""
caught_by: task2_test_a
says: "a difference quotient is not"
why: "central differences"
"""


def exact_trace(t, z, weights):
    weights = tuple(part.double() for part in weights)
    place, total = z.double(), 0
    for i in range(z.shape[1]):
        step = torch.zeros_like(place)
        step[:, i] = 1e-5
        total = total + (velocity(t, place + step, weights) - velocity(t, place - step, weights))[:, i] / 2e-5
    return total.to(z.dtype)


def hutchinson(t, z, weights, noise):
    W, b, c, U = weights
    slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
    return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)


# %% wrong: estimate_corrected
"""
caught_by: task2_test_b
says: "no correction is asked"
why: "divided by the mean of e^2"

-     return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
+     return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0) / (noise**2).mean((0, 2))
"""

# %% wrong: estimate_early_mean
"""
caught_by: task2_test_b
says: "averaged before"
why: "averages the probes first"

+     noise = noise.mean(0, keepdim=True)
      return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
"""

# %% wrong: estimate_exact
"""
caught_by: task2_test_b
says: "exact trace"
why: "ignores the noise"

-     return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
+     return slope @ (W * U.T).sum(1)
"""

# %% wrong: estimate_first
"""
caught_by: task2_test_b
says: "first probe"
why: "only the first probe"

-     return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
+     return ((noise @ W.T) * slope * (noise @ U)).sum(2)[0]
"""

# %% wrong: estimate_mean
"""
caught_by: task2_test_b
says: "divided by D"
why: "mean over D"

-     return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
+     return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0) / z.shape[1]
"""

# %% wrong: estimate_no_second
"""
caught_by: task2_test_b
says: "second product"
why: "forgets the second product"

-     return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
+     return (((noise @ U) * slope) @ W).sum(2).mean(0)
"""

# %% wrong: estimate_normalised
"""
caught_by: task2_test_b
says: "divided by its length"
why: "probes of length one"

+     noise = noise / noise.norm(dim=2, keepdim=True)
      return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
"""

# %% wrong: estimate_own_noise
"""
caught_by: task2_test_b
says: "noise of your own is drawn"
why: "draws its own noise"

+     noise = torch.randn_like(noise)
      return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
"""

# %% wrong: estimate_signs
"""
caught_by: task2_test_b
says: "turned into signs"
why: "the signs of the noise that is given"

+     noise = noise.sign()
      slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
      return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
"""

# %% wrong: estimate_square
"""
caught_by: task2_test_b
says: "square of e^T J"
why: "|e^T J|^2"

-     return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
+     return ((((noise @ U) * slope) @ W) ** 2).sum(2).mean(0)
"""

# %% wrong: estimate_sum
"""
caught_by: task2_test_b
says: "probes are added"
why: "adds the probes"

-     return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
+     return ((noise @ W.T) * slope * (noise @ U)).sum(2).sum(0)
"""

# %% wrong: estimate_unaveraged
"""
caught_by: task2_test_b
says: "the estimate has shape"
why: "one estimate for each probe"

-     return ((noise @ W.T) * slope * (noise @ U)).sum(2).mean(0)
+     return ((noise @ W.T) * slope * (noise @ U)).sum(2)
"""

# %% wrong: float32
"""
caught_by: task2_test_a
says: "keep the dtype"
why: "float32 always"

-     return slope @ (W * U.T).sum(1)
+     return (slope @ (W * U.T).sum(1)).float()
"""

# %% wrong: flowlib
"""
caught_by: task2_test_a
says: "jacobian_trace"
why: "flowlib's own function"
"""

from flowlib.continuous import jacobian_trace


def exact_trace(t, z, weights):
    return jacobian_trace(lambda t, p, context: velocity(t, p, weights), t, z, None, None)[1]


def hutchinson(t, z, weights, noise):
    return torch.stack(
        [jacobian_trace(lambda t, p, context: velocity(t, p, weights), t, z, None, e)[1] for e in noise]
    ).mean(0)


# %% wrong: hard_coded
"""
caught_by: task2_test_a
says: "the trace has shape"
why: "the numbers of the example"
"""


def exact_trace(t, z, weights):
    return torch.tensor([3.7864])


def hutchinson(t, z, weights, noise):
    return torch.tensor([0.7864])


# %% wrong: jacobian
"""
caught_by: task2_test_a
says: "jacrev"
why: "builds the whole Jacobian"
"""


def exact_trace(t, z, weights):
    J = torch.func.vmap(torch.func.jacrev(lambda p: velocity(t, p, weights)))(z)
    return J.diagonal(dim1=1, dim2=2).sum(1)


def hutchinson(t, z, weights, noise):
    J = torch.func.vmap(torch.func.jacrev(lambda p: velocity(t, p, weights)))(z)
    return torch.einsum("pbi,bij,pbj->pb", noise, J, noise).mean(0)


# %% wrong: log_det
"""
caught_by: task2_test_a
says: "needs the trace"
why: "log|det J| of the velocity"

-     return slope @ (W * U.T).sum(1)
+     return torch.linalg.slogdet((U * slope[:, None]) @ W)[1]
"""

# %% wrong: mean
"""
caught_by: task2_test_a
says: "divided by D"
why: "mean for sum"

-     return slope @ (W * U.T).sum(1)
+     return slope @ (W * U.T).sum(1) / z.shape[1]
"""

# %% wrong: no_graph
"""
caught_by: task2_test_a
says: "no gradient reaches"
why: "right numbers with which nothing can be trained"

+ @torch.no_grad()
  def exact_trace(t, z, weights):

+ @torch.no_grad()
  def hutchinson(t, z, weights, noise):
"""

# %% wrong: no_slope
"""
caught_by: task2_test_a
says: "slope of tanh"
why: "the trace of UW"

-     return slope @ (W * U.T).sum(1)
+     return (W * U.T).sum().expand(len(z))
"""

# %% wrong: no_square
"""
caught_by: task2_test_a
says: "with the square"
why: "1 - tanh for 1 - tanh^2"

-     slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
+     slope = 1 - torch.tanh(z @ W.T + b + t * c)
      return slope @ (W * U.T).sum(1)

-     slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
+     slope = 1 - torch.tanh(z @ W.T + b + t * c)
"""

# %% wrong: no_time
"""
caught_by: task2_test_a
says: "time is missing"
why: "the time is forgotten in the slope"

-     slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
+     slope = 1 - torch.tanh(z @ W.T + b) ** 2
      return slope @ (W * U.T).sum(1)

-     slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
+     slope = 1 - torch.tanh(z @ W.T + b) ** 2
"""

# %% wrong: sign
"""
caught_by: task2_test_a
says: "sign is flipped"
why: "returns d log p/dt"

-     return slope @ (W * U.T).sum(1)
+     return -slope @ (W * U.T).sum(1)
"""

# %% wrong: tanh
"""
caught_by: task2_test_a
says: "derivative belongs"
why: "tanh for its derivative"

-     slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
+     slope = torch.tanh(z @ W.T + b + t * c)
      return slope @ (W * U.T).sum(1)

-     slope = 1 - torch.tanh(z @ W.T + b + t * c) ** 2
+     slope = torch.tanh(z @ W.T + b + t * c)
"""

# %% wrong: zero
"""
caught_by: task2_test_a
says: "it is zero"
why: "a constant"

-     return slope @ (W * U.T).sum(1)
+     return torch.zeros_like(z[:, 0])
"""
