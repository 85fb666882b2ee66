"""
task: task3
caught_by: task3_test_b
says: "beyond the log-determinant"
why: "stops at the first law that fails"
"""

diagnosis = {"Ada": "few", "Ben": "sign", "Cleo": "healthy", "Dan": "own", "Eve": "first"}
