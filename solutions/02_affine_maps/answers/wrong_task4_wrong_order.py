"""
task: task4
caught_by: task4_test_a
says: the round trip fails
why: suspects the order where a point is flipped
"""

diagnosis = {"Ada": "diagonal", "Ben": "healthy", "Cleo": "point", "Dan": "sign", "Eve": "order"}
