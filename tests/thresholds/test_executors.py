"""Whoever does the work, the certificate is the same: no executor, threads, processes, a Dask cluster."""

import contextlib
import os
import signal
import time
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor

import pytest

import certify

GAME, OPTIONS = "lever:3", {"method": "search", "rtol": "1/100", "time_limit": 1200}


class Counting(Executor):
    """Passes everything on to another executor, and counts the jobs."""

    def __init__(self, inner):
        self.inner, self.jobs = inner, 0

    def map(self, function, *iterables, **options):
        jobs = [list(iterable) for iterable in iterables]
        self.jobs += len(jobs[0])
        return self.inner.map(function, *jobs, **options)


class Broken(Executor):
    """A pool whose processes are gone (killed for want of memory, a lost connection)."""

    def map(self, function, *iterables, **options):
        raise BrokenExecutor("a process in the pool was terminated abruptly")


@contextlib.contextmanager
def dask_cluster(workers):
    """A cluster of processes on this machine, and a client of it."""
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    loopback = {"host": "127.0.0.1", "dashboard_address": None}
    with (
        distributed.LocalCluster(n_workers=workers, threads_per_worker=1, **loopback) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield cluster, client


@contextlib.contextmanager
def dask_executor():
    with dask_cluster(2) as (_, client):
        yield client.get_executor()


EXECUTORS = {
    "threads": lambda: ThreadPoolExecutor(2),
    "processes": lambda: ProcessPoolExecutor(2),
    "dask": dask_executor,
}


def substance(result):
    """The certificate without the entry that says how it was found."""
    return {key: value for key, value in result.document.items() if key != "search"}


@pytest.fixture(scope="module")
def alone():
    result = certify.threshold(GAME, **OPTIONS)
    assert result.method == "search"  # otherwise no executor would be used
    return result


@pytest.mark.parametrize("kind", EXECUTORS)
def test_the_certificate_does_not_depend_on_the_executor(kind, alone):
    with EXECUTORS[kind]() as inner:
        executor = Counting(inner)
        result = certify.threshold(GAME, executor=executor, **OPTIONS)
    assert executor.jobs > 1
    assert substance(result) == substance(alone)


def test_the_comparison_sees_another_search(alone):
    other = certify.threshold(GAME, method="localisation")
    assert substance(other) != substance(alone)


@pytest.mark.slow
def test_workers_are_an_executor_too(alone):
    assert substance(certify.threshold(GAME, workers=2, **OPTIONS)) == substance(alone)


def test_a_broken_executor_costs_time_only(alone):
    said = []
    result = certify.threshold(GAME, executor=Broken(), progress=said.append, **OPTIONS)
    assert substance(result) == substance(alone)
    assert any("the workers are gone (BrokenExecutor)" in line for line in said)


class Absent(Executor):
    """A cluster without workers: nothing ever comes."""

    def map(self, function, *iterables, timeout=None):
        time.sleep(timeout)
        raise TimeoutError


def test_the_time_limit_holds_where_no_worker_answers():
    began = time.monotonic()
    result = certify.threshold("lever:3", method="search", rtol="1/100", time_limit=4, executor=Absent())
    assert result.status == "proved" and result.method != "search"
    assert time.monotonic() - began < 200


class Deadly(Counting):
    """Kills a process while its first jobs are under way."""

    def __init__(self, inner, victim):
        super().__init__(inner)
        self.victim = victim

    def map(self, function, *iterables, **options):
        results = super().map(function, *iterables, **options)
        if self.victim is not None:
            os.kill(self.victim, signal.SIGKILL)
        self.victim = None
        return results


@pytest.mark.slow
def test_a_killed_worker_of_a_cluster_costs_time_only(alone):
    """The scheduler gives what it worked on to another one."""
    with dask_cluster(3) as (cluster, client):
        executor = Deadly(client.get_executor(), next(iter(cluster.workers.values())).pid)
        assert substance(certify.threshold(GAME, executor=executor, **OPTIONS)) == substance(alone)
        assert executor.victim is None


def test_a_killed_process_costs_time_only(alone):
    said = []
    with ProcessPoolExecutor(2) as inner:
        inner.submit(int).result()  # starts the processes
        executor = Deadly(inner, next(iter(inner._processes)))
        result = certify.threshold(GAME, executor=executor, progress=said.append, **OPTIONS)
    assert substance(result) == substance(alone)
    assert any("the workers are gone (BrokenProcessPool)" in line for line in said)
