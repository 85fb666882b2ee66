"""What an exercise is.

exercise    reads a notebook: its cells, tasks, tests and points
answers     right and wrong attempts at the tasks, which test the tests
rules       what a task forbids, and what hidden tests draw; sources, things and lookups read the code for it
inputs      the kinds of hidden input
release     makes what students get from what instructors hold
"""
