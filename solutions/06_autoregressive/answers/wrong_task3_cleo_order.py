"""
task: task3
caught_by: task3_test_a
says: "passes every law"
why: "takes the unusual order for a fault, and Dan for healthy"
"""

diagnosis = {"Ada": "few", "Ben": "order", "Cleo": "order", "Dan": "healthy", "Eve": "first"}
