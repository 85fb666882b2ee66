"""
task: task5
caught_by: task5_test_a
says: "is not one of"
why: "a word of one's own"
"""

diagnosis = {"Fay": "signs", "Gus": "pixels", "Hana": "healthy", "Ivo": "images", "Joy": "permutation"}
