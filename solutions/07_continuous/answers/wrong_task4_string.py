"""
task: task4
caught_by: task4_test_a
says: "dictionary"
why: "not a dictionary"
"""

diagnosis = "Eve"
