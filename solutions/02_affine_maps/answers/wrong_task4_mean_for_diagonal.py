"""
task: task4
caught_by: task4_test_b
says: "Ada is ill, but not of 'mean'"
why: takes a wrong diagonal for a mean
"""

diagnosis = {"Ada": "mean", "Ben": "order", "Cleo": "point", "Dan": "sign", "Eve": "healthy"}
