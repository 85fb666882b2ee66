"""
task: task4
caught_by: task4_test_b
says: "the round trip holds"
why: calls everyone's order wrong but one
"""

diagnosis = {"Ada": "order", "Ben": "order", "Cleo": "order", "Dan": "order", "Eve": "healthy"}
