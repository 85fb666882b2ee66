"""
task: task4
caught_by: task4_test_a
says: "is not one of"
why: uses a word of its own
"""

diagnosis = {"Ada": "diagonal", "Ben": "broken", "Cleo": "point", "Dan": "sign", "Eve": "healthy"}
