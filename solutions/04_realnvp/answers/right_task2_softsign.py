"""
task: task2
why: "softsign"
"""


def bounded(raw, limit):
    return raw / (1 + raw.abs() / limit)
