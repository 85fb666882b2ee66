"""
task: task4
caught_by: task4_test_a
says: diagnosis should have the keys
why: writes the names in small letters
"""

diagnosis = {"ada": "diagonal", "ben": "order", "cleo": "point", "dan": "sign", "eve": "healthy"}
