"""
task: task4
caught_by: task4_test_b
says: "follow one entry"
why: "does not notice what the conditioner sees"
"""

diagnosis = {"Ada": "order", "Ben": "healthy", "Cleo": "undo", "Dan": "mean", "Eve": "undo"}
