"""
task: task5
caught_by: task5_test_a
says: "exactly one patient is healthy, you have 5"
why: "nothing looked at"
"""

diagnosis = {"Fay": "healthy", "Gus": "healthy", "Hana": "healthy", "Ivo": "healthy", "Joy": "healthy"}
