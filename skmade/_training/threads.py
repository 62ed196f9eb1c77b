"""Stacks of members trained side by side, each computed by one thread of ours."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import torch

from .._threads import on_threads

Result = TypeVar("Result")


def side_by_side(
    tasks: Sequence[Callable[[Callable[[], bool]], Result]], at_most: int | None = None
) -> list[Result]:
    """Run tasks on as many threads as torch would use, with torch on one thread in each.

    There are fewer threads where `at_most` says so. A task is told how to ask whether it shall
    stop. torch keeps the number of threads for each thread, and one for threads to come, which
    is as before once all of ours have begun.
    """
    of_torch = torch.get_num_threads()
    stopped: list[bool] = []  # a step that Ctrl-C can't halve fills it
    return on_threads(
        [partial(task, lambda: bool(stopped)) for task in tasks],
        of_torch if at_most is None else min(of_torch, at_most),
        begin=_one_thread,
        begun=lambda: torch.set_num_threads(of_torch),
        stop=lambda: stopped.append(True),
    )


def _one_thread() -> None:
    """Let torch compute on this thread alone, with zero in place of numbers that are none else.

    Of tiny exponentials there are many, and numbers below the normal ones take many times as
    long. Both settings are the thread's own, and end with it.
    """
    torch.get_num_threads()  # a thread's first question sets its number to that of the process
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
