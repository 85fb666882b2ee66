"""
task: task3
caught_by: task3_test_c
says: only divided by an area
why: divides the wrong density by its area and leaves the sign as it is
"""


def diagnosis():
    return {"A": "direction", "B": "sign", "C": "healthy", "D": "constant"}


_grid = torch.linspace(1e-3, 200, 400001, dtype=torch.float64)
_area = torch.trapezoid(log_prob_b(_grid).exp(), _grid).log()


def repaired_log_prob(x):
    return log_prob_b(x) - _area


def repaired_draw(z):
    return (1.2 + 0.4 * z).exp()
