"""
task: task5
caught_by: task5_test_b
says: "follow one pixel"
why: "two faults confused"
"""

diagnosis = {"Fay": "signs", "Gus": "pixels", "Hana": "healthy", "Ivo": "order", "Joy": "images"}
