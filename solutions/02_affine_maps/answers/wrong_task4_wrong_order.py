"""
task: task4
caught_by: task4_test_a
says: "round trip"
why: suspects the order where a point is flipped
"""

diagnosis = {"Ada": "diagonal", "Ben": "healthy", "Cleo": "point", "Dan": "sign", "Eve": "order"}
