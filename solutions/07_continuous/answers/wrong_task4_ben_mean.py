"""
task: task4
caught_by: task4_test_a
says: "difference quotient"
why: "a guess"
"""

diagnosis = {"Ada": "clock", "Ben": "mean", "Cleo": "sign", "Dan": "return", "Eve": "healthy"}
