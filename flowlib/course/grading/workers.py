"""Many submissions at once: on this machine's cores, or on a Dask cluster.

Both give the same jobs to the same workers and yield the replies as they come. A worker that dies
is replaced and its job runs again; a job that kills three workers is given up, in words.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from flowlib.course import extras
from flowlib.course.box import values
from flowlib.course.box.walls import FIGURES, Limits
from flowlib.course.folders import CourseError
from flowlib.course.grading.record import Verdict, from_json, to_json

TRIES = 3
MAX_JOB = 2**30  # bytes
START_SECONDS = 300.0  # that a worker may take to start, on a very busy machine


@dataclass(frozen=True)
class Job:
    """What a worker is to judge; without a student it only tries whether a notebook can run there."""

    limits: Limits
    isolate: bool
    student: str = ""
    assignment: str = ""
    exercise: str = ""  # the instructor's notebook, as JSON
    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    fingerprint: str = ""
    key: str = ""
    seed: int = 0


@dataclass
class Reply:
    """What a worker says of a job: a verdict and what shows it, or in words why there is none."""

    verdict: Verdict | None = None
    notebook: dict = field(default_factory=dict)  # as it was run
    feedback: str = ""  # the page
    error: str = ""
    trace: str = ""
    late: bool = False  # it was stopped, and would be again
    imported: list[str] = field(default_factory=list)  # modules that judging it loaded


class Worker:
    """One worker process: the connection to it, and what it shares with those started together."""

    def __init__(self, connection: socket.socket, process: subprocess.Popen, crew: list[Worker]):
        self.connection, self.process, self.crew = connection, process, crew
        self.warm = False
        crew.append(self)

    def run(self, job: Job) -> Reply:
        """One job's reply.

        Raises:
            values.Gone, values.Late, values.Malformed: the worker is of no use any more.
        """
        if not self.warm:
            values.receive(self.connection, START_SECONDS)
            self.warm = True
        values.send(self.connection, to_json(job), 60.0, limit=MAX_JOB)
        return from_json(Reply, values.receive(self.connection, job.limits.total_seconds + 30.0, 2**30))

    def close(self) -> None:
        """Let it end; the last of those started together waits until all have."""
        self.connection.close()
        self.crew.remove(self)
        if not self.crew:
            try:
                self.process.wait(10.0)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def start(count: int) -> list[Worker]:
    """Start workers, which share what they import; they are warm some seconds later."""
    pairs = [socket.socketpair() for _ in range(count)]
    process = launch("flowlib.course.grading.worker", [there for _, there in pairs])
    crew: list[Worker] = []
    for here, _ in pairs:
        Worker(here, process, crew)
    return list(crew)


def launch(module: str, connections: list[socket.socket]) -> subprocess.Popen:
    """Run a module with these connections, which are closed here.

    Its environment holds nothing but what Python and matplotlib need: students' processes are forked
    from it.
    """
    fds = [connection.fileno() for connection in connections]
    kept = {
        name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR", "MPLCONFIGDIR") if name in os.environ
    }
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", module, *map(str, fds)],
        pass_fds=fds,
        env=kept | {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""} | FIGURES,
        stdin=subprocess.DEVNULL,
    )
    for connection in connections:
        connection.close()
    return process


def run_with_retries(job: Job, get: Callable[[], Worker], drop: Callable[[Worker], None]) -> Reply:
    """Run a job on the worker that `get` gives; after a worker's death `drop` it and try the next."""
    for _ in range(TRIES):
        worker = get()
        try:
            return worker.run(job)
        except (values.Gone, values.Late, values.Malformed, ConnectionError):
            drop(worker)
    return Reply(error=f"the grader's process ended {TRIES} times while it graded this submission")


# ---------------------------------------------------------------------------- this machine


class Local:
    """Workers on this machine; they warm up while the grader reads the class."""

    def __init__(self, count: int):
        self.workers = start(count)

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
        self.workers = []

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Reply]]:
        """Run jobs; yields each with its reply in the order of completion."""
        source, lock, stop = iter(jobs), threading.Lock(), threading.Event()
        # A job with its reply, or how a thread ended: with an error or, where both are None, well.
        replies: queue.Queue[tuple[Job | None, Reply | BaseException | None]] = queue.Queue()

        def serve(place: int) -> None:
            def drop(worker: Worker) -> None:
                worker.close()
                (self.workers[place],) = start(1)

            try:
                while not stop.is_set():
                    with lock:
                        job = next(source, None)
                    if job is None:
                        break
                    replies.put((job, run_with_retries(job, lambda: self.workers[place], drop)))
                replies.put((None, None))
            except BaseException as error:
                replies.put((None, error))

        for place in range(len(self.workers)):
            threading.Thread(target=serve, args=(place,), daemon=True).start()
        try:
            running = len(self.workers)
            while running:
                job, reply = replies.get()
                if isinstance(reply, BaseException):
                    raise reply
                if job and reply:
                    yield job, reply
                else:
                    running -= 1
        finally:
            stop.set()


# ---------------------------------------------------------------------------- a Dask cluster

_idle: queue.LifoQueue[Worker] = queue.LifoQueue()  # of this process, when it is a Dask worker


def run_on_dask_worker(job: Job) -> Reply:
    """What a Dask worker does with a job: hand it to a grading worker of its own, kept warm."""
    with contextlib.suppress(queue.Empty):
        worker = _idle.get_nowait()
        return _and_keep(worker, job)
    return _and_keep(start(1)[0], job)


def _and_keep(worker: Worker, job: Job) -> Reply:
    current = [worker]

    def drop(lost: Worker) -> None:
        lost.close()
        current[:] = start(1)

    reply = run_with_retries(job, lambda: current[0], drop)
    _idle.put(current[0])
    return reply


class Cluster:
    """An existing Dask cluster; Dask runs the jobs of a lost worker again, elsewhere.

    Raises:
        CourseError: there is no scheduler at this address, or it has no workers.
    """

    def __init__(self, address: str):
        try:
            from distributed import Client
        except ImportError:
            raise CourseError(f"--cluster needs Dask: {extras.command('grade', 'cluster')}") from None
        try:
            self.client = Client(address, timeout=10)
        except (OSError, ValueError) as error:
            raise CourseError(f"No Dask scheduler answers at {address}: {error}") from error
        self.threads = sum(self.client.nthreads().values())
        if not self.threads:
            self.client.close()
            raise CourseError(f"The Dask scheduler at {address} has no workers: start dask worker {address}")

    def close(self) -> None:
        self.client.close()

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Reply]]:
        """Run jobs; yields each with its reply in the order of completion."""
        from distributed import as_completed

        source, done = iter(jobs), as_completed()
        waiting: dict = {}  # by the keys of futures

        def submit() -> None:
            job = next(source, None)
            if job is not None:
                future = self.client.submit(run_on_dask_worker, job, pure=False, retries=TRIES)
                waiting[future.key] = job
                done.add(future)

        # A few more jobs than threads are under way: enough to keep all busy, few enough to hold.
        for _ in range(self.threads + 2):
            submit()
        for future in done:
            job = waiting.pop(future.key)
            try:
                reply = future.result()
            except Exception as error:
                reply = Reply(error="the cluster could not grade this submission", trace=repr(error))
            submit()
            yield job, reply
