"""
task: task5
caught_by: task5_test_a
says: "how does the matrix applied differ"
why: "sees a lost sign and calls it the log-determinant's"
"""

diagnosis = {"Fay": "minus", "Gus": "pixels", "Hana": "healthy", "Ivo": "images", "Joy": "order"}
