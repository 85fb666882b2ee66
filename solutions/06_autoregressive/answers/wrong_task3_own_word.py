"""
task: task3
caught_by: task3_test_a
says: "is not one of"
why: "a word that is not in the table"
"""

diagnosis = {"Ada": "few", "Ben": "order", "Cleo": "healthy", "Dan": "mask", "Eve": "first"}
