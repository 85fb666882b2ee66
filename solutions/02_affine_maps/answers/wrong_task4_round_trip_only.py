"""
task: task4
caught_by: task4_test_b
says: "may cancel"
why: takes the errors that cancel for health
"""

diagnosis = {"Ada": "healthy", "Ben": "order", "Cleo": "point", "Dan": "sign", "Eve": "mean"}
