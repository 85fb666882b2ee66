"""
task: task4
why: "the diagnosis as a function"
"""


def diagnosis():
    return {"Ada": "order", "Ben": "healthy", "Cleo": "sees", "Dan": "mean", "Eve": "undo"}
