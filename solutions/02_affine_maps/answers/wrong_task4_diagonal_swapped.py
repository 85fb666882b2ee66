"""
task: task4
caught_by: task4_test_b
says: "Ada is ill"
why: swaps two patients
"""

diagnosis = {"Ada": "sign", "Ben": "order", "Cleo": "point", "Dan": "diagonal", "Eve": "healthy"}
