"""Stacks side by side: torch on one thread in each, and as before everywhere else."""

import signal
import threading
import time

import pytest
import torch

from skmade._training.threads import side_by_side

N_THREADS = 3


@pytest.fixture(autouse=True)
def _several_threads():
    """Let torch have some threads, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(N_THREADS)
    yield
    torch.set_num_threads(before)


def in_another_thread(function):
    """Return what a function returns in a thread that begins now."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def assert_all_as_before():
    assert torch.get_num_threads() == N_THREADS
    assert in_another_thread(torch.get_num_threads) == N_THREADS
    tiny = torch.full((1,), 1e-40)
    assert tiny + 0 > 0  # numbers below the normal ones count here
    assert not [t for t in threading.enumerate() if t.name.startswith("skmade")]


def test_torch_has_one_thread_in_each_task():
    tasks = [lambda _: (torch.get_num_threads(), threading.get_ident())] * 5
    found = side_by_side(tasks)
    assert {n_threads for n_threads, _ in found} == {1}
    assert threading.get_ident() not in {ident for _, ident in found}
    assert_all_as_before()


def test_threads_that_begin_meanwhile_have_all_of_torch():
    def task(_):
        own = torch.get_num_threads()
        return own, in_another_thread(torch.get_num_threads), torch.get_num_threads()

    assert side_by_side([task] * 4) == [(1, N_THREADS, 1)] * 4
    assert_all_as_before()


@pytest.mark.parametrize(("at_most", "expected"), [(None, N_THREADS), (2, 2), (1, 1), (9, 3)])
def test_as_many_tasks_run_at_a_time_as_torch_has_threads(at_most, expected):
    running, most, lock = set(), [0], threading.Lock()

    def task(_):
        with lock:
            running.add(threading.get_ident())
            most[0] = max(most[0], len(running))
        time.sleep(0.02)
        with lock:
            running.discard(threading.get_ident())

    side_by_side([task] * 12, at_most)
    assert most[0] == expected


def waits(stopped):
    """Train until told to stop."""
    for _ in range(3000):
        if stopped():
            return
        time.sleep(0.01)
    raise AssertionError("Nobody told this task to stop.")


def fails(_):
    raise ValueError("no")


def presses_ctrl_c(stopped):
    # As a terminal does it: a signal to another thread would not wake the one that waits.
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    waits(stopped)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals of POSIX")
@pytest.mark.usefixtures("heeds_ctrl_c")
@pytest.mark.parametrize(
    ("task", "error"), [(fails, ValueError), (presses_ctrl_c, KeyboardInterrupt)]
)
def test_after_an_error_all_tasks_stop_and_all_is_as_before(task, error):
    late = []
    start = time.perf_counter()
    with pytest.raises(error):
        side_by_side([task, waits, waits, lambda _: late.append(1)])
    assert time.perf_counter() - start < 20
    assert_all_as_before()
