"""
task: task4
why: "by the laws, the last one by reading"
"""

points_4 = torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def holds(law, *arguments):
    try:
        law(*arguments)
    except AssertionError:
        return False
    return True


diagnosis = {}
for name, (forward_4, inverse_4) in PATIENTS.items():
    returns = holds(checks.check_inverse, forward_4, inverse_4, points_4)
    volume = holds(checks.check_log_det, forward_4, points_4)
    diagnosis[name] = (
        "healthy" if returns and volume else "mean" if returns else "sees" if not volume else "order"
    )
diagnosis["Eve"] = "undo"  # read from the code: the first entry comes back, so nothing changed places
