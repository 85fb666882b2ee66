"""
task: task1
caught_by: task1_test_a
says: "which this task does not allow"
why: "takes the masks out of flowlib's network"
"""

from flowlib.nets import MaskedMLP


def made_masks(order, degrees):
    net = MaskedMLP(len(order), 1, [len(units) for units in degrees], order=order)
    return [layer.mask.bool() for layer in net.layers]
