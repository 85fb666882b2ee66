"""
task: task5
caught_by: task5_test_b
says: "with one image and with several"
why: "tried with one image only"
"""

diagnosis = {"Fay": "signs", "Gus": "pixels", "Hana": "pixels", "Ivo": "healthy", "Joy": "order"}
