"""
task: task3
why: "read from the code, written as pairs"
"""

diagnosis = dict([("Eve", "first"), ("Dan", "own"), ("Cleo", "healthy"), ("Ben", "order"), ("Ada", "few")])
