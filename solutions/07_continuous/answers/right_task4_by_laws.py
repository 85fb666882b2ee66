"""
task: task4
why: "found by measuring"
"""

starts = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
diagnosis = {}
for name, solve in PATIENTS.items():
    ends, log_det = solve(starts, 1.0, 100, 0.0, 1.0)
    again, log_det_back = solve(ends, 1.0, 100, 1.0, 0.0)
    rate = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(solve(starts, rate, 100, 0.0, 1.0)[0].sum(), rate)
    quotient = (solve(starts, 1.0001, 100, 0.0, 1.0)[0].sum() - ends.sum()) / 1e-4
    truth = by_flowlib(starts, 1.0, 100, 0.0, 1.0)[1]
    if (again - starts).abs().max() > 1e-2:
        diagnosis[name] = "clock"
    elif (log_det + log_det_back).abs().max() > 1e-2:
        diagnosis[name] = "return"
    elif (log_det - truth).abs().max() > 1e-2:
        diagnosis[name] = "sign"
    else:
        diagnosis[name] = "healthy" if abs(slope - quotient) < 0.1 else "detached"
