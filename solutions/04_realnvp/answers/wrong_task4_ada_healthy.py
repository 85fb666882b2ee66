"""
task: task4
caught_by: task4_test_a
says: "Ben passes every law"
why: "takes strides for blocks"
"""

diagnosis = {"Ada": "healthy", "Ben": "order", "Cleo": "sees", "Dan": "mean", "Eve": "undo"}
