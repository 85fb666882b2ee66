"""A worker: a long-lived process that grades one submission after another.

`python -m flowlib.course.grading.worker FD ...` starts one for each connection. It reads jobs and
answers each with a reply. Each job is judged in a fork, so that nothing of one submission reaches
the next, and a judge that hangs or dies is replaced by a verdict that says so.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import signal
import socket
import sys
import time
import traceback
from pathlib import Path

from flowlib.course.box import inside, values
from flowlib.course.box.walls import NoSandbox
from flowlib.course.exercises import exercise
from flowlib.course.grading import feedback, scratch, similarity, trial
from flowlib.course.grading.judge import judge
from flowlib.course.grading.record import from_json, to_json
from flowlib.course.grading.workers import Job, Reply

GRACE = 8.0  # seconds that a judge may need beyond its submission's budget
MAX_REPLY = 2**28
DIED = "the grader's process for this submission ended before it was done"


def main(connections: list[socket.socket]) -> None:
    """Fork one worker for each connection, and wait until all have ended.

    The warm process is forked off first, before there is anything in memory that it may not know.
    """
    scratch.sweep()
    inside.warm_up()
    feedback.warm_up()
    similarity.warm_up()
    zygote = inside.start(close=connections)
    for jobs in connections:
        if os.fork() == 0:
            try:
                for other in connections:
                    if other is not jobs:
                        other.close()
                serve(jobs, zygote)
            finally:
                os._exit(0)
    for connection in (*connections, zygote):
        connection.close()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def serve(jobs: socket.socket, zygote: socket.socket) -> None:
    """Serve jobs until the grader closes the connection."""
    with contextlib.suppress(values.Gone):
        values.send(jobs, "warm")
        while True:
            reply = _in_fork(from_json(Job, values.receive(jobs, limit=2**30)), zygote, jobs)
            for name in reply.imported:  # so that the next fork need not import them again
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
            values.send(jobs, to_json(reply), limit=MAX_REPLY)


def _in_fork(job: Job, zygote: socket.socket, jobs: socket.socket) -> Reply:
    here, there = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            here.close()
            # If the worker dies, its judge dies, and with it the student's process.
            ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
            _limit_memory(job.limits.memory_mb)
            os.umask(0o022)  # a student's process, of another uid, reads the files laid out for it
            before = set(sys.modules)
            reply = run(job, zygote)
            reply.imported = sorted(set(sys.modules) - before)
            values.send(there, to_json(reply), limit=MAX_REPLY)
        except BaseException as error:
            with contextlib.suppress(Exception):
                reply = Reply(error=_in_words(error), trace=traceback.format_exc())
                values.send(there, to_json(reply))
        finally:
            os._exit(0)
    there.close()
    end = time.monotonic() + job.limits.total_seconds + GRACE
    try:
        while not values.arriving(here, 0.5) and time.monotonic() < end:
            if values.hung_up(jobs):  # the grader is gone: nobody waits for this verdict
                os._exit(0)
        return from_json(Reply, values.receive(here, max(1.0, end - time.monotonic()), MAX_REPLY))
    except values.Late:
        return Reply(error="grading it took longer than its time budget and was stopped", late=True)
    except (values.Gone, values.Malformed) as error:
        return Reply(error=DIED, trace=repr(error))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        here.close()


def _limit_memory(megabytes: int) -> None:
    """Hostile values can make a test hungry: beyond what a judge begins with it may use what they may."""
    begun = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit, hard = begun + megabytes * 2**20, resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _in_words(error: BaseException) -> str:
    """Why a submission got no verdict, for people; the traceback goes into the journal."""
    if isinstance(error, NoSandbox):
        return "this machine could not start a process for it"
    if isinstance(error, MemoryError):
        return "grading it needed more memory than a submission may use"
    return "the grader itself failed on it"


def run(job: Job, zygote: socket.socket) -> Reply:
    """Judge a job."""
    if not job.student:
        return Reply(error=trial.why_not(zygote, job.limits, job.isolate))
    work = exercise.parse(json.loads(job.exercise), Path(job.assignment))
    verdict, cells = judge(
        files=job.files,
        notes=job.notes,
        flags=job.flags,
        exercise=work,
        zygote=zygote,
        limits=job.limits,
        key=f"{job.key} {job.assignment}",
        worker=os.getpid() % 1000,
        seed=job.seed,
        isolate=job.isolate,
    )
    return Reply(
        verdict=verdict,
        notebook=feedback.executed_notebook(work, cells, verdict.tests),
        feedback=feedback.page(job.student, job.assignment, work, cells, verdict, job.isolate),
    )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's business
    main([socket.socket(fileno=int(word)) for word in sys.argv[1:]])
