"""
task: task3
caught_by: task3_test_a
says: "should have the keys"
why: "forgets a patient"
"""

diagnosis = {"Ada": "few", "Ben": "order", "Cleo": "healthy", "Dan": "own"}
