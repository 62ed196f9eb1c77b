"""The processors, shared fairly: coarse work on threads of our own, one thread inside each.

Small products that a library splits over its threads meet at barriers, thousands a second,
where its threads spin until the last one is there. Beside other busy processes that takes many
times as long. So a fit hands out members, and an answer chunks of rows; what runs on a thread
of ours is computed by that thread alone. How the work is cut never depends on how many there
are, and so no result does.
"""

import contextvars
import os
import threading
from _thread import start_new_thread
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any, TypeVar
from weakref import WeakSet

from threadpoolctl import ThreadpoolController

Result = TypeVar("Result")

# Seconds, after which a wait begins anew, see `_News.wait`.
LONGEST_WAIT = 0.5

# Whether a thread is one of ours: what it runs is no further cut.
_this_thread = threading.local()


class _Call:
    """A call that is inside."""


class _Limit:
    """Keeps BLAS on one thread as long as any call is inside; the last to leave lifts it.

    A call that Ctrl-C kept from leaving is inside no more when nothing else knows of it.
    """

    def __init__(self) -> None:
        self.lock, self.inside, self.n_threads = threading.Lock(), WeakSet[_Call](), 1
        self.limiter: Any = None

    def enter(self, call: _Call) -> int:
        """Begin a call; return how many threads BLAS has where nobody limits it."""
        with self.lock:
            self.inside.add(call)
            if self.limiter is None:
                libraries = _blas()
                numbers = (one["num_threads"] for one in libraries.info())
                self.n_threads = max(numbers, default=1)
                self.limiter = libraries.limit(limits=1)
            return self.n_threads

    def leave(self, call: _Call) -> None:
        """End a call, also one that Ctrl-C kept from beginning."""
        with self.lock:
            self.inside.discard(call)
            if not self.inside:
                self._lift()

    def forget(self) -> None:
        """Lift the limit in a forked child, where the calls of its parent do not run."""
        self.lock, self.inside = threading.Lock(), WeakSet()
        self._lift()

    def _lift(self) -> None:
        if self.limiter is not None:
            self.limiter.restore_original_limits()
            self.limiter = None


_limit = _Limit()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_limit.forget)


@cache
def _blas() -> ThreadpoolController:
    """Find the libraries of linear algebra: looking for them takes milliseconds."""
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def one_thread_inside() -> Iterator[int]:
    """Keep NumPy's products on one thread, and yield how many they may have: for ours.

    BLAS knows one number for the whole process. It is as before when the last call that
    entered has left, after an error too.
    """
    call = _Call()
    try:
        yield _limit.enter(call)
    finally:
        _limit.leave(call)


class _News:
    """What threads of ours tell: that they are born, ready and at their end.

    They do so by plain lists and a queue of C, each step of which Ctrl-C can't halve: that
    leaves the lock of an Event or a Condition taken, for which others then wait for good.
    """

    def __init__(self) -> None:
        self.born: list[None] = []
        self.ready: list[None] = []
        self.ended: list[None] = []
        self.told = SimpleQueue[None]()

    def tell(self, those: list[None]) -> None:
        """Tell that one more is among those."""
        those.append(None)
        self.told.put(None)

    def wait(self, happened: Callable[[], bool]) -> None:
        """Wait until something has happened, of which there is news.

        A Ctrl-C just before a wait is noticed only after it: so none is long.
        """
        while not happened():
            with suppress(Empty):
                self.told.get(timeout=LONGEST_WAIT)


def on_threads(
    tasks: Sequence[Callable[[], Result]],
    n_threads: int,
    begin: Callable[[], object] = lambda: None,
    begun: Callable[[], object] = lambda: None,
    stop: Callable[[], object] = lambda: None,
) -> list[Result]:
    """Run tasks on threads of our own, and return their results in order.

    After an error or Ctrl-C no other task begins. It is raised when those that run have ended.

    Parameters
    ----------
    tasks : called without arguments, each in a copy of the caller's context
    n_threads : how many run at a time
    begin : called on each thread before its first task
    begun : called here when all threads have done so, and again after an error
    stop : called after an error, to tell the tasks that run
    """
    turns, context = enumerate(tasks), contextvars.copy_context()
    found: dict[int, Result] = {}
    errors: list[BaseException] = []
    news, gate = _News(), SimpleQueue[None]()

    def end(error: BaseException) -> None:
        errors.append(error)
        stop()

    def work() -> None:
        news.tell(news.born)
        _this_thread.is_ours = True
        try:
            if not errors:
                begin()
            news.tell(news.ready)
            gate.get()
            while not errors and (turn := next(turns, None)):
                found[turn[0]] = context.copy().run(turn[1])
        except BaseException as error:
            end(error)
            news.tell(news.ready)
        finally:
            news.tell(news.ended)

    n_threads = max(min(n_threads, len(tasks)), 1)
    try:
        for _ in range(n_threads):
            start_new_thread(work, ())
        news.wait(lambda: len(news.ready) >= n_threads)
        begun()
        for _ in range(n_threads):
            gate.put(None)
        news.wait(lambda: len(news.ended) == n_threads)
    except BaseException as error:
        end(error)
        for _ in range(n_threads):
            gate.put(None)
        # A thread that is born later finds the error, and ends at once.
        news.wait(lambda: len(news.ended) == len(news.born))
        begun()
        raise
    if errors:
        raise errors[0]
    return [found[position] for position in range(len(tasks))]


def in_order(
    tasks: Sequence[Callable[[], Result]], n_threads: int | None = None
) -> list[Result]:
    """Run tasks of NumPy, on threads where there are several, and return their results.

    On a thread of ours they run one after the other.
    """
    with one_thread_inside() as n_available:
        n_threads = n_available if n_threads is None else n_threads
        if min(n_threads, len(tasks)) < 2 or getattr(_this_thread, "is_ours", False):
            return [task() for task in tasks]
        return on_threads(tasks, n_threads)
