"""
task: task3
caught_by: task3_test_a
says: "uses Planar"
why: calls flowlib's layer
"""

from flowlib.planar import Planar


def planar_inverse(x, w, u, b):
    layer = Planar(len(w)).to(x.dtype)
    layer.load_state_dict({"w": w, "u": u, "b": torch.as_tensor(b)})
    return layer.inverse(x)
