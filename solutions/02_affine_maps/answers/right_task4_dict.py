"""
task: task4
why: builds the dictionary from two lists
"""

names = ["Ada", "Ben", "Cleo", "Dan", "Eve"]
found = ["diagonal", "order", "point", "sign", "healthy"]
diagnosis = dict(zip(names, found, strict=True))
