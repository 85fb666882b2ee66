"""
task: task5
caught_by: task5_test_b
says: "Joy is ill, but not of 'transpose'"
why: "the wrong inverse taken for a transpose"
"""

diagnosis = {"Fay": "signs", "Gus": "pixels", "Hana": "healthy", "Ivo": "images", "Joy": "transpose"}
