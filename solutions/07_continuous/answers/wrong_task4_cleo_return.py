"""
task: task4
caught_by: task4_test_b
says: "two errors cancel"
why: "the two signs changed places"
"""

diagnosis = {"Ada": "clock", "Ben": "detached", "Cleo": "return", "Dan": "sign", "Eve": "healthy"}
