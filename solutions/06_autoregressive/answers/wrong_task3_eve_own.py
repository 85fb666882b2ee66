"""
task: task3
caught_by: task3_test_b
says: "networks are in order"
why: "the round trip fails, so the mask must be wrong"
"""

diagnosis = {"Ada": "few", "Ben": "order", "Cleo": "healthy", "Dan": "own", "Eve": "own"}
