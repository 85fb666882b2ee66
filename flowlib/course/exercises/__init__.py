"""What an exercise is.

exercise    reads a notebook: its cells, tasks, tests and points
rules       what a task forbids, and what hidden tests draw; sources and lookups read the code for it
inputs      the kinds of hidden input
release     makes what students get from what instructors hold
"""
