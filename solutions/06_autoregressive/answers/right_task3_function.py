"""
task: task3
why: "a function that returns the dictionary"
"""


def diagnosis():
    ill = {"Ada": "few", "Ben": "order", "Dan": "own", "Eve": "first"}
    return {name: ill.get(name, "healthy") for name in PATIENTS}
