"""
task: task3
caught_by: task3_test_a
says: "its *density*"
why: "blames the sampler for what the mask does"
"""

diagnosis = {"Ada": "few", "Ben": "order", "Cleo": "healthy", "Dan": "few", "Eve": "first"}
