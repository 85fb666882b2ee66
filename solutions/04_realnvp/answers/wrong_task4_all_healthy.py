"""
task: task4
caught_by: task4_test_a
says: "exactly one patient is healthy"
why: "five healthy patients"
"""

diagnosis = {name: "healthy" for name in PATIENTS}
