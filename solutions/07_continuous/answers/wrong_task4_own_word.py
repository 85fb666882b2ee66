"""
task: task4
caught_by: task4_test_a
says: "is not one of"
why: "a word of one's own"
"""

diagnosis = {"Ada": "frozen time", "Ben": "detached", "Cleo": "sign", "Dan": "return", "Eve": "healthy"}
