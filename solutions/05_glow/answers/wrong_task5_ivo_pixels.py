"""
task: task5
caught_by: task5_test_b
says: "look beyond the log-determinant"
why: "trusts the wording of check_log_det"
"""

diagnosis = {"Fay": "signs", "Gus": "pixels", "Hana": "healthy", "Ivo": "pixels", "Joy": "order"}
