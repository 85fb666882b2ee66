"""
task: task4
caught_by: task4_test_a
says: "keys"
why: forgets a patient
"""

diagnosis = {"Ada": "diagonal", "Ben": "order", "Cleo": "point", "Dan": "sign"}
