"""
task: task4
caught_by: task4_test_b
says: "do not cancel"
why: "no mean is taken"
"""

diagnosis = {"Ada": "clock", "Ben": "detached", "Cleo": "sign", "Dan": "mean", "Eve": "healthy"}
