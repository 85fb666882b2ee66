"""
task: task4
caught_by: task4_test_a
says: "her dt has the other sign"
why: "takes the minus signs for the fault"
"""

diagnosis = {"Ada": "clock", "Ben": "healthy", "Cleo": "detached", "Dan": "return", "Eve": "sign"}
