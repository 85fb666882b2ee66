"""
task: task4
caught_by: task4_test_b
says: "Cleo is ill"
why: names the sign for every log-determinant that is off
"""

diagnosis = {"Ada": "diagonal", "Ben": "order", "Cleo": "sign", "Dan": "sign", "Eve": "healthy"}
