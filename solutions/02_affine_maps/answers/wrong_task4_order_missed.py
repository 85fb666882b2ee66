"""
task: task4
caught_by: task4_test_a
says: "Ben: the round trip fails"
why: finds Ben's log-determinants suspicious, not his order
"""

diagnosis = {"Ada": "diagonal", "Ben": "kink", "Cleo": "point", "Dan": "sign", "Eve": "healthy"}
