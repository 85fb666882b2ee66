"""
task: task4
caught_by: task4_test_b
says: "does not come back"
why: "looks at the log-determinant only"
"""

diagnosis = {"Ada": "order", "Ben": "healthy", "Cleo": "sees", "Dan": "mean", "Eve": "mean"}
