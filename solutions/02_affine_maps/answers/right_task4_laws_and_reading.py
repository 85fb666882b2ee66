"""
task: task4
why: asks the laws in a loop and reads their words
"""

diagnosis = {}
pts = torch.randn(40, 2, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
for who, (f, g) in PATIENTS.items():
    try:
        checks.check_inverse(f, g, pts)
    except AssertionError:
        diagnosis[who] = "order"
        continue
    try:
        checks.check_log_det(f, pts)
        diagnosis[who] = "healthy"
    except AssertionError as error:
        said = str(error)
        diagnosis[who] = "sign" if "sign" in said else "diagonal" if "diagonal" in said else "point"
