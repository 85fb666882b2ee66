"""
task: task3
caught_by: task3_test_b
says: "the point does not come back"
why: "takes Ada for healthy and Cleo for ill"
"""

diagnosis = {"Ada": "healthy", "Ben": "order", "Cleo": "first", "Dan": "own", "Eve": "few"}
