"""
task: task4
why: gives the diagnosis as a function and not as a dictionary
"""


def diagnosis():
    return {"Ada": "diagonal", "Ben": "order", "Cleo": "point", "Dan": "sign", "Eve": "healthy"}
