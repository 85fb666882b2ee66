# %% right: layer_by_layer
"""
why: "a Function for each layer; they share one place, which holds the output of the layer that is next"
"""


class Layer(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, context, W, b, U, place):
        x, log_det = step(z, context, W, b, U)
        ctx.save_for_backward(context, W, b, U)
        ctx.place, place["x"] = place, x.detach()
        return x, log_det

    @staticmethod
    def backward(ctx, dx, dlog_det):
        context, *weights = ctx.saved_tensors
        z = ctx.place["x"] = undo(ctx.place["x"], context, *weights)
        inputs = [part.detach().requires_grad_() for part in (z, context, *weights)]
        with torch.enable_grad():
            outputs = step(*inputs)
        return *torch.autograd.grad(outputs, inputs, (dx, dlog_det)), None


def reversible(z, context, W, b, U):
    place, total = {}, 0
    for k in range(len(W)):
        z, log_det = Layer.apply(z, context, W[k], b[k], U[k], place)
        total = total + log_det
    return z, total


def measured(*inputs):
    """What reversible returns, its gradients, the bytes it keeps, and the most. Given: leave it as it is."""
    inputs = [part.clone().requires_grad_() for part in inputs]
    with Meter(*inputs) as meter:
        x, log_det = reversible(*inputs)
        kept = meter.now
        loss = torch.sin(x).sum() + (log_det**2).sum()
        slopes = torch.autograd.grad(loss, inputs, allow_unused=True) if loss.requires_grad else [None] * 5
    return x, log_det, slopes, kept, meter.most


# %% right: pulled_back
"""
why: "torch.func.vjp pulls the gradients back through one layer at a time; no graph is made"
"""


class Pull(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, context, *weights):
        total = 0
        for layer in zip(*weights, strict=True):
            z, log_det = step(z, context, *layer)
            total = total + log_det
        ctx.save_for_backward(z, context, *weights)
        return z, total

    @staticmethod
    def backward(ctx, dx, dlog_det):
        x, context, *weights = ctx.saved_tensors
        layers, dcontext = list(zip(*weights, strict=True)), 0
        for number, layer in reversed(list(enumerate(layers))):
            x = undo(x, context, *layer)
            _, pull = torch.func.vjp(step, x, context, *layer)
            dx, more, *layers[number] = pull((dx, dlog_det))
            dcontext = dcontext + more
        return dx, dcontext, *(torch.stack(rows) for rows in zip(*layers, strict=True))


def reversible(z, context, W, b, U):
    return Pull.apply(z, context, W, b, U)


def measured(*inputs):
    """What reversible returns, its gradients, the bytes it keeps, and the most. Given: leave it as it is."""
    inputs = [part.clone().requires_grad_() for part in inputs]
    with Meter(*inputs) as meter:
        x, log_det = reversible(*inputs)
        kept = meter.now
        loss = torch.sin(x).sum() + (log_det**2).sum()
        slopes = torch.autograd.grad(loss, inputs, allow_unused=True) if loss.requires_grad else [None] * 5
    return x, log_det, slopes, kept, meter.most


# %% right: by_backward
"""
why: "lets backward add up the gradients in .grad, of the context and of the stacked weights"
"""


class Rewind(torch.autograd.Function):
    @staticmethod
    def forward(ctx, *inputs):
        x, log_det = plain(*inputs)
        ctx.save_for_backward(x, *inputs[1:])
        return x, log_det

    @staticmethod
    def backward(ctx, dx, dlog_det):
        x, *rest = ctx.saved_tensors
        context, W, b, U = (part.detach().requires_grad_() for part in rest)
        for k in range(len(W) - 1, -1, -1):
            x = undo(x, context, W[k], b[k], U[k]).detach()
            with torch.enable_grad():
                z = x.clone().requires_grad_()
                out, log_det = step(z, context, W[k], b[k], U[k])
                ((out * dx).sum() + (log_det * dlog_det).sum()).backward()
            dx = z.grad
        return dx, context.grad, W.grad, b.grad, U.grad


def reversible(z, context, W, b, U):
    return Rewind.apply(z, context, W, b, U)


def measured(*inputs):
    """What reversible returns, its gradients, the bytes it keeps, and the most. Given: leave it as it is."""
    inputs = [part.clone().requires_grad_() for part in inputs]
    with Meter(*inputs) as meter:
        x, log_det = reversible(*inputs)
        kept = meter.now
        loss = torch.sin(x).sum() + (log_det**2).sum()
        slopes = torch.autograd.grad(loss, inputs, allow_unused=True) if loss.requires_grad else [None] * 5
    return x, log_det, slopes, kept, meter.most


# %% wrong: blocks
"""
caught_by: task5_test_b
says: "allowed is 3, for any depth"
why: "checkpoints: the input of every block of layers is kept"
"""


class Block(torch.autograd.Function):
    @staticmethod
    def forward(ctx, *inputs):
        ctx.save_for_backward(*inputs)
        return plain(*inputs)

    @staticmethod
    def backward(ctx, dx, dlog_det):
        inputs = [part.detach().requires_grad_() for part in ctx.saved_tensors]
        with torch.enable_grad():
            outputs = plain(*inputs)
        return torch.autograd.grad(outputs, inputs, (dx, dlog_det))


def reversible(z, context, W, b, U):
    total, size = 0, max(1, int(len(W) ** 0.5))
    for k in range(0, len(W), size):
        z, log_det = Block.apply(z, context, *(part[k : k + size] for part in (W, b, U)))
        total = total + log_det
    return z, total


def measured(*inputs):
    """What reversible returns, its gradients, the bytes it keeps, and the most. Given: leave it as it is."""
    inputs = [part.clone().requires_grad_() for part in inputs]
    with Meter(*inputs) as meter:
        x, log_det = reversible(*inputs)
        kept = meter.now
        loss = torch.sin(x).sum() + (log_det**2).sum()
        slopes = torch.autograd.grad(loss, inputs, allow_unused=True) if loss.requires_grad else [None] * 5
    return x, log_det, slopes, kept, meter.most


# %% wrong: checkpoint
"""
caught_by: task5_test_a
says: "which this task does not allow"
why: "lets PyTorch's checkpoint do it"

+ from torch.utils.checkpoint import checkpoint
  class WalkBack(torch.autograd.Function):

-     return WalkBack.apply(z, context, W, b, U)
+     return checkpoint(plain, z, context, W, b, U, use_reentrant=False)
"""

# %% wrong: context_first
"""
caught_by: task5_test_a
says: "is that of the first layer"
why: "the context's gradient is written over"

-             dcontext += more
+             dcontext = more
"""

# %% wrong: context_forgotten
"""
caught_by: task5_test_a
says: "the gradient by context"
why: "no gradient for the context"

-         return dx, dcontext, *found
+         return dx, None, *found
"""

# %% wrong: detached
"""
caught_by: task5_test_a
says: "no gradient comes"
why: "no memory, no graph, no gradient"

-     return WalkBack.apply(z, context, W, b, U)
+     with torch.no_grad():
+         return plain(z, context, W, b, U)
"""

# %% wrong: half_stored
"""
caught_by: task5_test_b
says: "allowed is 3, for any depth"
why: "keeps every layer's input in half precision, to start each undo nearby"

-         x, log_det = plain(z, context, W, b, U)
-         ctx.save_for_backward(x, context, W, b, U)
+         ctx.others, start = [], z
+         for layer in zip(W, b, U, strict=True):
+             ctx.others.append(start.half())
+             start, _ = step(start, context, *layer)
+         x, log_det = plain(z, context, W, b, U)
+         ctx.save_for_backward(x, context, W, b, U)
"""

# %% wrong: inputs_kept
"""
caught_by: task5_test_b
says: "allowed is 3, for any depth"
why: "no graph, but the input of every layer is kept on ctx"

-         x, log_det = plain(z, context, W, b, U)
-         ctx.save_for_backward(x, context, W, b, U)
+         ctx.inputs, x, log_det = [], z, 0
+         for layer in zip(W, b, U, strict=True):
+             ctx.inputs.append(x)
+             x, more = step(x, context, *layer)
+             log_det = log_det + more
+         ctx.save_for_backward(x, context, W, b, U)

-             z = undo(x, context, *layer)
+             z = ctx.inputs.pop()
"""

# %% wrong: inputs_listed
"""
caught_by: task5_test_b
says: "a list of inputs"
why: "finds all inputs first, and keeps them in a list"

-         for k in reversed(range(len(weights[0]))):
-             layer = [part[k] for part in weights]
-             z = undo(x, context, *layer)
+         all_inputs = []
+         for k in reversed(range(len(weights[0]))):
+             x = undo(x, context, *[part[k] for part in weights])
+             all_inputs.append(x)
+         for k, z in zip(reversed(range(len(weights[0]))), all_inputs, strict=True):
+             layer = [part[k] for part in weights]

-             x = z
"""

# %% wrong: last_layer_only
"""
caught_by: task5_test_a
says: "it ends with the last layer"
why: "returns from inside the loop"

-             x = z
-         return dx, dcontext, *found
+             x = z
+             return 0 * dx, dcontext, *found
"""

# %% wrong: log_det_lost
"""
caught_by: task5_test_a
says: "the log-determinant's part is missing"
why: "passes only dx on"

-             dx, more, *slopes = torch.autograd.grad(outputs, inputs, (dx, dlog_det))
+             dx, more, *slopes = torch.autograd.grad(outputs[0], inputs, dx)
"""

# %% wrong: not_undone
"""
caught_by: task5_test_a
says: "found from its own output"
why: "runs every layer at the last output"

-             x = z
"""

# %% wrong: plain
"""
caught_by: task5_test_b
says: "Does each layer leave its graph"
why: "ordinary backpropagation"

-     return WalkBack.apply(z, context, W, b, U)
+     return plain(z, context, W, b, U)
"""

# %% wrong: recomputed_whole
"""
caught_by: task5_test_b
says: "a graph of many layers"
why: "keeps the first input, and runs the whole stack again in the backward pass"

-         ctx.save_for_backward(x, context, W, b, U)
+         ctx.save_for_backward(z, context, W, b, U)

-         x, context, *weights = ctx.saved_tensors
+         again = [part.detach().requires_grad_() for part in ctx.saved_tensors]
+         with torch.enable_grad():
+             whole = plain(*again)
+         return torch.autograd.grad(whole, again, (dx, dlog_det))
+         x, context, *weights = ctx.saved_tensors
"""

# %% wrong: wrong_order
"""
caught_by: task5_test_a
says: "found from its own output"
why: "walks from the first layer to the last"

-         for k in reversed(range(len(weights[0]))):
+         for k in range(len(weights[0])):
"""
