"""
task: task5
caught_by: task5_test_a
says: "should have the keys"
why: "a patient left out"
"""

diagnosis = {"Fay": "signs", "Gus": "pixels", "Hana": "healthy", "Ivo": "images"}
