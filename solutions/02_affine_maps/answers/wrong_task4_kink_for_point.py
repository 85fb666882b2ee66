"""
task: task4
caught_by: task4_test_b
says: "Cleo is ill"
why: takes a kink that is counted at the wrong point for one left out
"""

diagnosis = {"Ada": "diagonal", "Ben": "order", "Cleo": "kink", "Dan": "sign", "Eve": "healthy"}
