"""
task: task5
caught_by: task5_test_a
says: "look at the matrix"
why: "takes the transpose for a fault"
"""

diagnosis = {"Fay": "healthy", "Gus": "pixels", "Hana": "transpose", "Ivo": "images", "Joy": "order"}
