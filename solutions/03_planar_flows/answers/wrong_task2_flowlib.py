"""
task: task2
caught_by: task2_test_a
says: "uses Planar"
why: asks flowlib's layer
"""

from flowlib.planar import Planar


def constrain(u, w):
    layer = Planar(len(w)).to(w.dtype)
    layer.load_state_dict({"w": w, "u": u, "b": torch.zeros(())})
    return layer.constrained_u()[0].detach()
