"""
task: task4
caught_by: task4_test_a
says: "keys"
why: "two of five"
"""

diagnosis = {"Ada": "clock", "Ben": "detached"}
