"""
task: task4
caught_by: task4_test_a
says: "compare the log-determinant"
why: "averaged, not flipped"
"""

diagnosis = {"Ada": "order", "Ben": "healthy", "Cleo": "sees", "Dan": "sign", "Eve": "undo"}
