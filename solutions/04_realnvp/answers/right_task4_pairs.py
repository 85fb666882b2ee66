"""
task: task4
why: "in the order of the patients"
"""

words = ["order", "healthy", "sees", "mean", "undo"]
diagnosis = dict(zip(PATIENTS, words, strict=True))
