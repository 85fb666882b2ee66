"""
task: task4
caught_by: task4_test_a
says: "follow it through"
why: "believes the laws only"
"""

diagnosis = {"Ada": "clock", "Ben": "healthy", "Cleo": "sign", "Dan": "return", "Eve": "sign"}
