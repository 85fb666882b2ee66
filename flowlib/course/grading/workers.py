"""Many submissions at once: on this machine's cores, or on a Dask cluster.

Both give the same jobs to the same workers and yield the results as they come. A worker that dies
is replaced and its job runs again; a job that kills three workers is given up, in words.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator

from flowlib.course.grading import values
from flowlib.course.house import CourseError

TRIES = 3


class Worker:
    """One worker process and the connection to it."""

    def __init__(self):
        here, there = socket.socketpair()
        self.connection = here
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "flowlib.course.grading.worker", str(there.fileno())],
            pass_fds=[there.fileno()],
            stdin=subprocess.DEVNULL,
        )
        there.close()
        self.warm = False

    def run(self, job: dict) -> dict:
        """One job's result.

        Raises:
            values.Gone, values.Late, values.Malformed: the worker is of no use any more.
        """
        if not self.warm:
            values.receive(self.connection, 120.0)
            self.warm = True
        values.send(self.connection, job, 60.0)
        return values.receive(self.connection, job["limits"]["total_seconds"] + 30.0, 2**30)

    def close(self) -> None:
        self.connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(2.0)
            return
        self.process.kill()
        self.process.wait()


def run_with_retries(job: dict, get, drop) -> dict:
    """Run a job on the worker that `get` gives; after a worker's death `drop` it and try the next."""
    for _ in range(TRIES):
        worker = get()
        try:
            return worker.run(job)
        except (values.Gone, values.Late, values.Malformed, ConnectionError):
            drop(worker)
    return {"error": f"{TRIES} workers died while grading this submission"}


# ---------------------------------------------------------------------------- this machine


def run_here(jobs: Iterable[dict], count: int) -> Iterator[tuple[dict, dict]]:
    """Run jobs on `count` workers of this machine; yields (job, result) in the order of completion."""
    source = iter(jobs)
    lock, results = threading.Lock(), queue.Queue()
    stop = threading.Event()

    def serve() -> None:
        own: list[Worker] = [Worker()]

        def drop(worker: Worker) -> None:
            worker.close()
            own[0] = Worker()

        try:
            while not stop.is_set():
                with lock:
                    job = next(source, None)
                if job is None:
                    return
                results.put((job, run_with_retries(job, lambda: own[0], drop)))
        except BaseException as error:
            results.put((None, error))
        finally:
            own[0].close()
            results.put((None, None))

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        running = count
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
        if worker.process.poll() is None:
            return _and_keep(worker, job)
    return _and_keep(Worker(), job)


def _and_keep(worker: Worker, job: dict) -> dict:
    current = [worker]

    def drop(lost: Worker) -> None:
        lost.close()
        current[0] = Worker()

    result = run_with_retries(job, lambda: current[0], drop)
    _idle.put(current[0])
    return result


def run_on_cluster(jobs: Iterable[dict], address: str) -> Iterator[tuple[dict, dict]]:
    """Run jobs on an existing Dask cluster; Dask runs the jobs of a lost worker again, elsewhere.

    Raises:
        CourseError: there is no scheduler at this address, or it has no workers.
    """
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise CourseError("--cluster needs Dask: pip install -c constraints.txt -e '.[cluster]'") from None
    try:
        client = Client(address, timeout=10)
    except OSError as error:
        raise CourseError(f"No Dask scheduler answers at {address}: {error}") from error
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise CourseError(
                f"The Dask scheduler at {address} has no workers; start some: dask worker {address}"
            )
        source = iter(jobs)
        waiting: dict = {}
        # A few jobs more than threads are under way: enough to keep all busy, little enough to hold.
        done = as_completed()

        def submit() -> None:
            job = next(source, None)
            if job is not None:
                future = client.submit(run_on_dask_worker, job, pure=False, retries=TRIES)
                waiting[future.key] = job
                done.add(future)

        for _ in range(threads + 2):
            submit()
        for future in done:
            job = waiting.pop(future.key)
            try:
                result = future.result()
            except Exception as error:
                result = {"error": f"the cluster could not grade this submission: {error!r}"}
            submit()
            yield job, result
