"""
task: task4
caught_by: task4_test_a
says: "should have the keys"
why: "four patients missing"
"""

diagnosis = {"Ada": "order"}
