"""
task: task5
why: "by the laws, by comparing with weight and by one image alone"
"""

images_5 = noise((4, 3, 2, 3), 0)
diagnosis = {}
for name, (weight_5, forward_5, inverse_5) in PATIENTS.items():
    x_5, log_det_5 = forward_5(images_5)
    alone_5 = torch.cat([forward_5(images_5[i : i + 1])[0] for i in range(4)])
    applied_5 = torch.einsum("ij,bjhw->bihw", weight_5, images_5)
    true_5 = 6 * torch.linalg.slogdet(weight_5)[1]
    if not torch.allclose(x_5, alone_5):
        diagnosis[name] = "images"
    elif not torch.allclose(x_5, applied_5):
        diagnosis[name] = "signs"
    elif not torch.allclose(inverse_5(x_5)[0], images_5):
        diagnosis[name] = "order"
    else:
        diagnosis[name] = "healthy" if torch.allclose(log_det_5, true_5.expand(4)) else "pixels"
