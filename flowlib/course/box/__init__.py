"""Running a stranger's Python by value. This room knows no exercise and imports nothing else of the course.

values      the language spoken across the wall
walls       bubblewrap, limits and users; seccomp refuses system calls
inside      what runs behind the wall: a warm process, and the student's forked from it
outside     the grader's side: a box, and stand-ins for what lives in it
"""
