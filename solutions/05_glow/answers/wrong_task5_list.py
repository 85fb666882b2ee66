"""
task: task5
caught_by: task5_test_a
says: "should be a dictionary"
why: "a list of words"
"""

diagnosis = ["signs", "pixels", "healthy", "images", "order"]
