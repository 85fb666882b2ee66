"""
task: task4
caught_by: task4_test_b
says: "Ada is ill, but not of 'undo'"
why: "two faults confused"
"""

diagnosis = {"Ada": "undo", "Ben": "healthy", "Cleo": "sees", "Dan": "mean", "Eve": "order"}
