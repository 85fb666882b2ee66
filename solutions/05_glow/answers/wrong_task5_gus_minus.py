"""
task: task5
caught_by: task5_test_b
says: "by which factor"
why: "the factor taken for a sign"
"""

diagnosis = {"Fay": "signs", "Gus": "minus", "Hana": "healthy", "Ivo": "images", "Joy": "order"}
