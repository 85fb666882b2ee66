"""
task: task1
caught_by: task1_test_a
says: "uses Planar"
why: hands the work to flowlib's layer
"""

from flowlib.planar import Planar


def planar_forward(z, w, u, b):
    layer = Planar(z.shape[1])
    layer.load_state_dict({"w": w, "u": u, "b": torch.as_tensor(b)})
    return layer(z)
