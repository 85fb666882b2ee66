"""
task: task4
caught_by: task4_test_b
says: "does not come back"
why: "the two that break check_inverse changed places"
"""

diagnosis = {"Ada": "return", "Ben": "detached", "Cleo": "sign", "Dan": "clock", "Eve": "healthy"}
