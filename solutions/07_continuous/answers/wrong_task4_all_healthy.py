"""
task: task4
caught_by: task4_test_a
says: "exactly one"
why: "a constant"
"""

diagnosis = dict.fromkeys(PATIENTS, "healthy")
