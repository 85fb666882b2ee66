"""
task: task3
caught_by: task3_test_a
says: "exactly one patient"
why: "finds nothing"
"""

diagnosis = {"Ada": "healthy", "Ben": "healthy", "Cleo": "healthy", "Dan": "healthy", "Eve": "healthy"}
