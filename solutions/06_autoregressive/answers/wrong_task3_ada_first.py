"""
task: task3
caught_by: task3_test_b
says: "which network"
why: "does not count the passes"
"""

diagnosis = {"Ada": "first", "Ben": "order", "Cleo": "healthy", "Dan": "own", "Eve": "first"}
