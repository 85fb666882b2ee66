"""
task: task4
why: "a function that returns the dictionary"
"""


def diagnosis():
    return dict(zip(PATIENTS, ("clock", "detached", "sign", "return", "healthy"), strict=True))
