"""
task: task5
caught_by: task5_test_a
says: "look at the matrix"
why: "takes a log-determinant of 0 for a forgotten one"
"""

diagnosis = {"Fay": "healthy", "Gus": "pixels", "Hana": "pixels", "Ivo": "images", "Joy": "order"}
