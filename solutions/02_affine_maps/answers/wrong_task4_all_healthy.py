"""
task: task4
caught_by: task4_test_a
says: "exactly one patient"
why: believes the round trip
"""

diagnosis = {"Ada": "healthy", "Ben": "healthy", "Cleo": "healthy", "Dan": "healthy", "Eve": "healthy"}
