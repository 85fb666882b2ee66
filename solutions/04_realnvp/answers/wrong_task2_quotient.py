"""
task: task2
caught_by: task2_test
says: "infinity over infinity"
why: "infinity over infinity in float32"
"""


def bounded(raw, limit):
    return (
        limit * raw / (limit**2 + raw**2).sqrt()
        if raw.dtype == torch.float64
        else limit * raw.exp() / raw.exp()
    )
