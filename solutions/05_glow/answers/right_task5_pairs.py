"""
task: task5
why: "a dictionary from pairs"
"""

diagnosis = dict(Fay="signs", Gus="pixels", Hana="healthy", Ivo="images", Joy="order")
