"""
task: task4
why: lets the laws speak and keeps what they say
"""

z = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
diagnosis = {}
for name, (forward, inverse) in PATIENTS.items():
    try:
        checks.check_inverse(forward, inverse, z)
        checks.check_log_det(forward, z)
        diagnosis[name] = "healthy"
    except AssertionError as error:
        said = str(error)
        diagnosis[name] = "sign" if "sign" in said else "order" if "check_inverse" in said else "diagonal"
diagnosis["Cleo"] = "point"  # counts the negative entries of z, not of y: read in the code
