"""
task: task4
caught_by: task4_test_a
says: "is not one of"
why: "a word that is not in the table"
"""

diagnosis = {"Ada": "permuted", "Ben": "healthy", "Cleo": "sees", "Dan": "mean", "Eve": "undo"}
