"""Threads of our own: results in order, one thread inside, and everything as before."""

import _thread
import threading
import time

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from skmade._threads import in_order, on_threads, one_thread_inside


def blas_threads():
    """Return how many threads the libraries of linear algebra have."""
    return [
        one["num_threads"] for one in ThreadpoolController().info() if one["user_api"] == "blas"
    ]


def test_results_come_in_the_order_of_the_tasks():
    waits = [0.02, 0.0, 0.01]
    tasks = [lambda wait=wait: (time.sleep(wait), wait)[1] for wait in waits]
    assert on_threads(tasks, 3) == waits
    assert in_order(tasks, 2) == waits
    assert on_threads([], 2) == []


def test_as_many_threads_run_as_asked_for():
    running, most, lock = set(), [0], threading.Lock()

    def task():
        with lock:
            running.add(threading.get_ident())
            most[0] = max(most[0], len(running))
        time.sleep(0.01)
        with lock:
            running.discard(threading.get_ident())

    on_threads([task] * 8, 2)
    assert most[0] == 2


def test_a_task_sees_the_context_of_its_caller():
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        on_threads([lambda: np.ones(1) / 0], 1)


@pytest.mark.parametrize("run", [on_threads, in_order])
def test_after_an_error_no_other_task_begins(run):
    begun, n_threads = [], _thread._count()

    def fails():
        raise ValueError("no")

    tasks = [
        fails,
        lambda: time.sleep(0.05),
        *([lambda: (begun.append(1), time.sleep(0.01))] * 50),
    ]
    with pytest.raises(ValueError, match="no"):
        run(tasks, 2)
    n_begun = len(begun)
    time.sleep(0.05)
    assert len(begun) == n_begun < 50
    assert _thread._count() <= n_threads


def test_blas_is_limited_inside_and_as_before_afterwards():
    with threadpool_limits(2, user_api="blas"):
        with one_thread_inside() as n_threads:
            assert n_threads == 2
            assert set(blas_threads()) == {1}
            with one_thread_inside() as nested:
                assert nested == 2
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {2}
        with pytest.raises(ValueError, match="no"), one_thread_inside():
            raise ValueError("no")
        assert set(blas_threads()) == {2}


def test_calls_that_overlap_leave_blas_as_it_was():
    """The first to enter may leave first: whoever is last restores what was before both."""
    with threadpool_limits(2, user_api="blas"):
        first, second = one_thread_inside(), one_thread_inside()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert set(blas_threads()) == {1}
        second.__exit__(None, None, None)
        assert set(blas_threads()) == {2}


def test_tasks_of_a_task_stay_on_its_thread():
    def outer():
        return {threading.get_ident(), *in_order([threading.get_ident] * 5, 2)}

    idents = in_order([outer, outer], 2)
    assert [len(own) for own in idents] == [1, 1]
