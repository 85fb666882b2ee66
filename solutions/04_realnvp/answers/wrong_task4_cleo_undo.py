"""
task: task4
caught_by: task4_test_b
says: "Cleo is ill, but not of 'undo'"
why: "does not notice what the conditioner sees"
"""

diagnosis = {"Ada": "order", "Ben": "healthy", "Cleo": "undo", "Dan": "mean", "Eve": "undo"}
