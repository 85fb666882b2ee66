"""
task: task4
why: "written another way"
"""

diagnosis = dict(Ada="clock", Ben="detached", Cleo="sign", Dan="return", Eve="healthy")
