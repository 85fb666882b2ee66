# %% right: conv2d
"""
why: "conv2d with kernels of one pixel, the determinant from LU"
"""


def log_volume(weight, images):
    upper = torch.linalg.lu(weight).U
    one = upper.diagonal().abs().log().sum()
    return torch.full((len(images),), float(one) * images[0, 0].numel(), dtype=images.dtype)


def conv_forward(z, weight):
    return nn.functional.conv2d(z, weight[:, :, None, None]), log_volume(weight, z)


def conv_inverse(x, weight):
    undo = torch.linalg.inv(weight)
    return nn.functional.conv2d(x, undo[:, :, None, None]), -log_volume(weight, x)


# %% right: eigenvalues
"""
why: "tensordot, and the eigenvalues of W for its determinant"
"""


def conv_forward(z, weight):
    x = torch.tensordot(weight, z, dims=([1], [1])).transpose(0, 1)
    one = torch.linalg.eigvals(weight).abs().log().sum()
    return x, torch.full((z.shape[0],), float(one * z[0, 0].numel()), dtype=z.dtype)


def conv_inverse(x, weight):
    z, log_det = conv_forward(x, torch.linalg.solve(weight, torch.eye(len(weight), dtype=weight.dtype)))
    return z, log_det


# %% right: loop
"""
why: "a loop over pixels that adds one log-determinant each"
"""


def conv_forward(z, weight):
    x, log_det = torch.empty_like(z), z.new_zeros(len(z))
    one = torch.linalg.slogdet(weight).logabsdet
    for row in range(z.shape[2]):
        for column in range(z.shape[3]):
            x[:, :, row, column] = z[:, :, row, column] @ weight.T
            log_det = log_det + one
    return x, log_det


def conv_inverse(x, weight):
    return conv_forward(x, weight.inverse())


# %% right: pixels
"""
why: "each pixel a row, solve for the inverse"
"""


def conv_forward(z, weight):
    batch, channels, height, width = z.shape
    pixels = z.permute(0, 2, 3, 1).reshape(-1, channels)
    x = (pixels @ weight.T).reshape(batch, height, width, channels).permute(0, 3, 1, 2)
    log_det = height * width * torch.linalg.slogdet(weight)[1]
    return x, log_det.expand(batch)


def conv_inverse(x, weight):
    batch, channels, height, width = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(-1, channels)
    z = torch.linalg.solve(weight, pixels.T).T
    z = z.reshape(batch, height, width, channels).permute(0, 3, 1, 2)
    log_det = -height * width * torch.linalg.slogdet(weight)[1]
    return z, log_det.expand(batch)


# %% wrong: all_numbers
"""
caught_by: task2_test_a
says: "pixels times channels"
why: "C H W instead of H W"
from: pixels

-     log_det = height * width * torch.linalg.slogdet(weight)[1]
+     log_det = z[0].numel() * torch.linalg.slogdet(weight)[1]
"""

# %% wrong: channels
"""
caught_by: task2_test_a
says: "counts the channels"
why: "C instead of H W"
from: pixels

-     log_det = height * width * torch.linalg.slogdet(weight)[1]
+     log_det = channels * torch.linalg.slogdet(weight)[1]
"""

# %% wrong: column_norms
"""
caught_by: task2_test_a
says: "the lengths of the columns"
why: "lengths of the columns for the determinant"
"""


def conv_forward(z, weight):
    log_det = z.shape[2] * z.shape[3] * weight.norm(dim=0).log().sum()
    return torch.einsum("ij,bjhw->bihw", weight, z), log_det.expand(len(z))


def conv_inverse(x, weight):
    log_det = -x.shape[2] * x.shape[3] * torch.linalg.slogdet(weight).logabsdet
    return torch.einsum("ij,bjhw->bihw", torch.linalg.inv(weight), x), log_det.expand(len(x))


# %% wrong: columns_only
"""
caught_by: task2_test_a
says: "one row of pixels"
why: "W without H"
from: pixels

-     log_det = height * width * torch.linalg.slogdet(weight)[1]
+     log_det = width * torch.linalg.slogdet(weight)[1]
"""

# %% wrong: det_underflows
"""
caught_by: task2_test_a
says: "use slogdet"
why: "takes the logarithm of a determinant that has become 0"
"""


def conv_forward(z, weight):
    log_det = z.shape[2] * z.shape[3] * weight.det().abs().log()
    return torch.einsum("ij,bjhw->bihw", weight, z), log_det.expand(len(z))


def conv_inverse(x, weight):
    log_det = -x.shape[2] * x.shape[3] * weight.det().abs().log()
    return torch.einsum("ij,bjhw->bihw", torch.linalg.inv(weight), x), log_det.expand(len(x))


# %% wrong: float32
"""
caught_by: task2_test_a
says: "keep the dtype"
why: "all becomes float32"
from: pixels

-     x = (pixels @ weight.T).reshape(batch, height, width, channels).permute(0, 3, 1, 2)
+     x = (pixels.float() @ weight.float().T).reshape(batch, height, width, channels).permute(0, 3, 1, 2)
"""

# %% wrong: flowlib
"""
caught_by: task2_test_a
says: "uses Conv1x1"
why: "flowlib's finished layer"
from: pixels

-     batch, channels, height, width = z.shape
-     pixels = z.permute(0, 2, 3, 1).reshape(-1, channels)
-     x = (pixels @ weight.T).reshape(batch, height, width, channels).permute(0, 3, 1, 2)
-     log_det = height * width * torch.linalg.slogdet(weight)[1]
-     return x, log_det.expand(batch)
+     from flowlib.image import Conv1x1
+     layer = Conv1x1(len(weight)).to(weight.dtype)
+     layer.set_weight(weight)
+     x, log_det = layer(z)
+     return x.detach(), log_det.detach()
"""

# %% wrong: identity
"""
caught_by: task2_test_a
says: "nothing moved"
why: "z comes back, with a log-determinant of 0"
from: pixels

-     x = (pixels @ weight.T).reshape(batch, height, width, channels).permute(0, 3, 1, 2)
-     log_det = height * width * torch.linalg.slogdet(weight)[1]
+     x = pixels.reshape(batch, height, width, channels).permute(0, 3, 1, 2)
+     log_det = torch.zeros((), dtype=z.dtype)
"""

# %% wrong: inverse_again
"""
caught_by: task2_test_b
says: "forward map again"
why: "multiplies by W again"
from: pixels

-     z = torch.linalg.solve(weight, pixels.T).T
+     z = pixels @ weight.T
"""

# %% wrong: inverse_entries
"""
caught_by: task2_test_b
says: "by itself (1 / W)"
why: "1 / W instead of the inverse matrix"
from: pixels

-     z = torch.linalg.solve(weight, pixels.T).T
+     z = pixels @ (1 / weight).T
"""

# %% wrong: inverse_flowlib
"""
caught_by: task2_test_b
says: "uses .Linear"
why: "flowlib's finished layer"
from: pixels

-     z = torch.linalg.solve(weight, pixels.T).T
+     z = __import__("flowlib.linear").linear.Linear.from_matrix(weight).inverse(pixels)[0].detach()
"""

# %% wrong: inverse_mixed
"""
caught_by: task2_test_b
says: "mixed with each other"
why: "flattened without moving the batch axis"
from: pixels

-     z = torch.linalg.solve(weight, pixels.T).T
-     z = z.reshape(batch, height, width, channels).permute(0, 3, 1, 2)
+     z = torch.linalg.solve(weight, x.reshape(channels, -1)).reshape(x.shape)
"""

# %% wrong: inverse_no_pixels
"""
caught_by: task2_test_b
says: "factor H*W is missing"
why: "the log-determinant of one pixel, in the inverse"
from: pixels

-     log_det = -height * width * torch.linalg.slogdet(weight)[1]
+     log_det = -torch.linalg.slogdet(weight)[1]
"""

# %% wrong: inverse_sign
"""
caught_by: task2_test_b
says: "sign is flipped"
why: "the same log-determinant both ways"
from: pixels

-     log_det = -height * width * torch.linalg.slogdet(weight)[1]
+     log_det = height * width * torch.linalg.slogdet(weight)[1]
"""

# %% wrong: inverse_transpose
"""
caught_by: task2_test_b
says: "undoes a rotation only"
why: "the transpose for the inverse"
from: pixels

-     z = torch.linalg.solve(weight, pixels.T).T
+     z = pixels @ weight
"""

# %% wrong: inverse_unchanged
"""
caught_by: task2_test_b
says: "comes back unchanged"
why: "nothing is undone"
from: pixels

-     z = torch.linalg.solve(weight, pixels.T).T
+     z = pixels
"""

# %% wrong: mixed
"""
caught_by: task2_test_a
says: "mixed with each other"
why: "flattened without moving the batch axis"
from: pixels

-     pixels = z.permute(0, 2, 3, 1).reshape(-1, channels)
-     x = (pixels @ weight.T).reshape(batch, height, width, channels).permute(0, 3, 1, 2)
+     x = (weight @ z.reshape(channels, -1)).reshape(z.shape)
"""

# %% wrong: no_abs
"""
caught_by: task2_test_a
says: "absolute value is missing"
why: "NaN when det W is negative"
from: pixels

-     log_det = height * width * torch.linalg.slogdet(weight)[1]
+     log_det = height * width * torch.logdet(weight)
"""

# %% wrong: no_log
"""
caught_by: task2_test_a
says: "the logarithm is missing"
why: "the determinant itself"
from: pixels

-     log_det = height * width * torch.linalg.slogdet(weight)[1]
+     log_det = height * width * torch.linalg.det(weight)
"""

# %% wrong: no_pixels
"""
caught_by: task2_test_a
says: "factor H*W is missing"
why: "the log-determinant of one pixel"
from: pixels

-     log_det = height * width * torch.linalg.slogdet(weight)[1]
+     log_det = torch.linalg.slogdet(weight)[1]
"""

# %% wrong: rows_only
"""
caught_by: task2_test_a
says: "one column of pixels"
why: "H without W"
from: pixels

-     log_det = height * width * torch.linalg.slogdet(weight)[1]
+     log_det = height * torch.linalg.slogdet(weight)[1]
"""

# %% wrong: scalar
"""
caught_by: task2_test_a
says: "not one for the whole batch"
why: "one number for the batch"
from: pixels

-     return x, log_det.expand(batch)
+     return x, log_det
"""

# %% wrong: sign
"""
caught_by: task2_test_a
says: "sign is flipped"
why: "that of the inverse"
from: pixels

-     log_det = height * width * torch.linalg.slogdet(weight)[1]
+     log_det = -height * width * torch.linalg.slogdet(weight)[1]
"""

# %% wrong: squares
"""
caught_by: task2_test_a
says: "those of the visible example"
why: "the number of pixels of the visible test"
from: pixels

-     log_det = height * width * torch.linalg.slogdet(weight)[1]
+     log_det = 8 * torch.linalg.slogdet(weight)[1]
"""

# %% wrong: three_channels
"""
caught_by: task2_test_a
says: "on an input of a hidden test"
why: "written for three channels"
from: pixels

-     pixels = z.permute(0, 2, 3, 1).reshape(-1, channels)
+     pixels = z.permute(0, 2, 3, 1).reshape(-1, 3)
"""

# %% wrong: trace
"""
caught_by: task2_test_a
says: "right for a triangular W only"
why: "the diagonal of W for its determinant"
"""


def conv_forward(z, weight):
    log_det = z.shape[2] * z.shape[3] * weight.diagonal().abs().log().sum()
    return torch.einsum("ij,bjhw->bihw", weight, z), log_det.expand(len(z))


def conv_inverse(x, weight):
    log_det = -x.shape[2] * x.shape[3] * torch.linalg.slogdet(weight).logabsdet
    return torch.einsum("ij,bjhw->bihw", torch.linalg.inv(weight), x), log_det.expand(len(x))


# %% wrong: transpose
"""
caught_by: task2_test_a
says: "transpose of W"
why: "rows times W instead of W times columns"
from: pixels

-     x = (pixels @ weight.T).reshape(batch, height, width, channels).permute(0, 3, 1, 2)
+     x = (pixels @ weight).reshape(batch, height, width, channels).permute(0, 3, 1, 2)
"""

# %% wrong: whole_batch
"""
caught_by: task2_test_a
says: "whole batch"
why: "counts the pixels of all images"
from: pixels

-     log_det = height * width * torch.linalg.slogdet(weight)[1]
+     log_det = len(pixels) * torch.linalg.slogdet(weight)[1]
"""

# %% wrong: wrong_axis
"""
caught_by: task2_test_a
says: "another axis than the channels"
why: "the channels do not come back to their axis"
from: pixels

-     x = (pixels @ weight.T).reshape(batch, height, width, channels).permute(0, 3, 1, 2)
+     x = (pixels @ weight.T).reshape(z.shape)
"""
