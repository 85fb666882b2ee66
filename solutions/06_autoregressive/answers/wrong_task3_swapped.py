"""
task: task3
caught_by: task3_test_b
says: "which network"
why: "two faults confused"
"""

diagnosis = {"Ada": "few", "Ben": "first", "Cleo": "healthy", "Dan": "own", "Eve": "order"}
