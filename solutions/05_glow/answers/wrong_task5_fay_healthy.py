"""
task: task5
caught_by: task5_test_a
says: "compare forward with weight"
why: "asks the laws of a bijection only, and suspects the missing determinant"
"""

diagnosis = {"Fay": "healthy", "Gus": "pixels", "Hana": "minus", "Ivo": "images", "Joy": "order"}
