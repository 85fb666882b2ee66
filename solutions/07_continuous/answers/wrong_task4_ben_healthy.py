"""
task: task4
caught_by: task4_test_a
says: "passes every law"
why: "believes the laws only"
"""

diagnosis = {"Ada": "clock", "Ben": "healthy", "Cleo": "sign", "Dan": "return", "Eve": "sign"}
