"""
task: task4
why: "parts of a dictionary, merged"
"""

diagnosis = {"Eve": "healthy"} | {"Dan": "return", "Cleo": "sign"} | {"Ben": "detached", "Ada": "clock"}
