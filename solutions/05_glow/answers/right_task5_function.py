"""
task: task5
why: "the diagnosis as a function"
"""


def diagnosis():
    return {"Fay": "signs", "Gus": "pixels", "Hana": "healthy", "Ivo": "images", "Joy": "order"}
