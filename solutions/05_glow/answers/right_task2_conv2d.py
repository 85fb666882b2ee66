"""
task: task2
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
