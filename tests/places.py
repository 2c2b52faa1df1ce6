"""Run the functions that take `workers` in one of many places, without a guard of the main module; see test_places."""

import asyncio
import sys
import threading

import numpy as np

import ctrnn_theory as ct
from ctrnn_theory.sweeping import engine


def work(_=None):
    """Numbers of each of the functions."""
    engine.LENGTH, engine.SAMPLED = 0.02, 1  # several tasks
    net, noise = ct.CTRNN.single(1.5, 0.0, "tanh", 0.2), ct.Noise(outside=1.0)
    spec = {"methods": ["exact"], "fixed": {"b": 0.1}, "axes": {"w": [0.2, 0.5], "sigma": {"linspace": [0.1, 1, 15]}}}
    task = ct.training.tasks.Feedforward(conditions=4)
    found = ct.train(task, 2, noise=noise, evaluations=60, rng=1, workers=2)
    escape = ct.escape_times(net, noise, method="simulation", rng=1, workers=2, relative_error=0.2)
    return (
        float(ct.sweep(spec, workers=2)["mean"].sum()),
        float(ct.simulate(net, noise, steps=20, trajectories=1000, rng=1, workers=2).h.sum()),
        float(ct.bias(net, noise, target_se=1e-2, rng=1, workers=2).laws["simulation"].mean[0]),
        float(escape.time.sum()),
        float(found.loss),
        float(np.sum(ct.preference(found.network, task, [0, 1], noise=noise, repeats=64, workers=2).loss)),
    )


def in_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def in_joblib(backend):
    from joblib import Parallel, delayed

    return Parallel(2, backend=backend)(delayed(work)(i) for i in range(2))[1]


def under_joblib(backend):
    import joblib

    with joblib.parallel_config(backend=backend):
        return work()


def in_pool(method):
    from multiprocessing import get_context

    with get_context(method).Pool(1) as pool:  # of daemonic processes
        return pool.map(work, [0])[0]


def in_executor(method):
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, mp_context=get_context(method)) as pool:
        return pool.submit(work).result()


def in_loop(function):
    async def call():
        return function()

    return asyncio.run(call())


def in_dask(processes):
    from distributed import Client, LocalCluster

    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None, "processes": processes}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        return client.submit(work).result()


PLACES = {
    "here": work,
    "thread": lambda: in_thread(work),
    "loop": lambda: in_loop(work),
    "loop of a thread": lambda: in_thread(lambda: in_loop(work)),
    "under joblib's threads": lambda: under_joblib("threading"),
    "under joblib's processes": lambda: under_joblib("multiprocessing"),
    "in joblib's loky": lambda: in_joblib("loky"),
    "in joblib's threads": lambda: in_joblib("threading"),
    "in joblib's processes": lambda: in_joblib("multiprocessing"),
    "fork": lambda: in_pool("fork"),
    "spawn": lambda: in_pool("spawn"),
    "forkserver": lambda: in_pool("forkserver"),
    "executor, fork": lambda: in_executor("fork"),
    "executor, spawn": lambda: in_executor("spawn"),
    "Dask's process": lambda: in_dask(True),
    "Dask's thread": lambda: in_dask(False),
}

if len(sys.argv) > 1 and __name__ in ("__main__", "<run_path>"):  # what is spawned imports this module by another name
    print("found", *map(repr, PLACES[sys.argv[1]]()))
