"""
task: task4
caught_by: task4_test_b
says: "follow one entry"
why: "two faults confused"
"""

diagnosis = {"Ada": "undo", "Ben": "healthy", "Cleo": "sees", "Dan": "mean", "Eve": "order"}
