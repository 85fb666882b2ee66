"""Many submissions at once: on this machine's cores, or on a Dask cluster.

Both give the same jobs to the same workers and yield the results as they come. A worker that dies
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
from collections.abc import Iterable, Iterator

from flowlib.course import extras
from flowlib.course.box import values
from flowlib.course.box.walls import FIGURES
from flowlib.course.folders import CourseError

TRIES = 3
MAX_JOB = 2**30  # bytes
START_SECONDS = 300.0  # that a worker may take to start, on a very busy machine


class Worker:
    """One worker process: the connection to it, and what it shares with those started together."""

    def __init__(self, connection: socket.socket, process: subprocess.Popen, crew: list[Worker]):
        self.connection, self.process, self.crew = connection, process, crew
        self.warm = False
        crew.append(self)

    def run(self, job: dict) -> dict:
        """One job's result.

        Raises:
            values.Gone, values.Late, values.Malformed: the worker is of no use any more.
        """
        if not self.warm:
            values.receive(self.connection, START_SECONDS)
            self.warm = True
        values.send(self.connection, job, 60.0, limit=MAX_JOB)
        return values.receive(self.connection, job["limits"]["total_seconds"] + 30.0, 2**30)

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


def run_with_retries(job: dict, get, drop) -> dict:
    """Run a job on the worker that `get` gives; after a worker's death `drop` it and try the next."""
    for _ in range(TRIES):
        worker = get()
        try:
            return worker.run(job)
        except (values.Gone, values.Late, values.Malformed, ConnectionError):
            drop(worker)
    return {"error": f"the grader's process ended {TRIES} times while it graded this submission"}


# ---------------------------------------------------------------------------- this machine


class Local:
    """Workers on this machine; they warm up while the grader reads the class."""

    def __init__(self, count: int):
        self.workers = start(count)

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
        self.workers = []

    def run(self, jobs: Iterable[dict]) -> Iterator[tuple[dict, dict]]:
        """Run jobs; yields (job, result) in the order of completion."""
        source, lock, results = iter(jobs), threading.Lock(), queue.Queue()
        stop = threading.Event()

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
                    results.put((job, run_with_retries(job, lambda: self.workers[place], drop)))
                results.put((None, None))
            except BaseException as error:
                results.put((None, error))

        for place in range(len(self.workers)):
            threading.Thread(target=serve, args=(place,), daemon=True).start()
        try:
            running = len(self.workers)
            while running:
                job, result = results.get()
                if job is not None:
                    yield job, result
                elif result is None:
                    running -= 1
                else:
                    raise result
        finally:
            stop.set()


# ---------------------------------------------------------------------------- a Dask cluster

_idle: queue.LifoQueue = queue.LifoQueue()  # of this process, when it is a Dask worker


def run_on_dask_worker(job: dict) -> dict:
    """What a Dask worker does with a job: hand it to a grading worker of its own, kept warm."""
    with contextlib.suppress(queue.Empty):
        worker = _idle.get_nowait()
        return _and_keep(worker, job)
    return _and_keep(*start(1), job)


def _and_keep(worker: Worker, job: dict) -> dict:
    current = [worker]

    def drop(lost: Worker) -> None:
        lost.close()
        current[:] = start(1)

    result = run_with_retries(job, lambda: current[0], drop)
    _idle.put(current[0])
    return result


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

    def run(self, jobs: Iterable[dict]) -> Iterator[tuple[dict, dict]]:
        """Run jobs; yields (job, result) in the order of completion."""
        from distributed import as_completed

        source, waiting, done = iter(jobs), {}, as_completed()

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
                result = future.result()
            except Exception as error:
                result = {"error": "the cluster could not grade this submission", "trace": repr(error)}
            submit()
            yield job, result
