"""
task: task3
why: "by the laws, the last two by what comes back"
"""

points_4 = torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def holds(law, *arguments):
    try:
        law(*arguments)
    except AssertionError:
        return False
    return True


def ill_of(forward, inverse):
    if holds(checks.check_inverse, forward, inverse, points_4):
        return "healthy"
    if not holds(checks.check_log_det, inverse, points_4):
        return "own"
    z_back, _ = inverse(forward(points_4)[0])
    right_entries = int(torch.isclose(z_back, points_4).all(0).sum())
    if right_entries:
        return "few"  # some entries come back, those that did not need the last pass
    # Undo the first network twice, which is what a sampler with the first network only would need.
    x, _ = forward(points_4)
    return "first" if torch.allclose(score_layer(score_layer(x, 1)[0], 1)[0], points_4) else "order"


diagnosis = {name: ill_of(*pair) for name, pair in PATIENTS.items()}
