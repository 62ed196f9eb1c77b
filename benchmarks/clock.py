"""Calls timed in turn, and the rows of the report that their times make."""

import contextlib
import statistics
import time
import warnings

import torch
from threadpoolctl import threadpool_limits

# A call that takes longer than this, in seconds, is timed once.
SLOW = 20

# Seconds between the calls of two packages.
PAUSE = 0.3


def seconds(call):
    """Wall time of one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def in_turn(*calls, repeat):
    """Time calls one after the other, `repeat` rounds of it: a list of seconds for each.

    A round before those warms up; where it is slow, it stands for all rounds. Between two calls
    there is a pause: threads that have just worked for one keep a core busy for a while.
    """
    pause = PAUSE if len(calls) > 1 else 0.0

    def timed(call):
        time.sleep(pause)
        return seconds(call)

    first = [timed(call) for call in calls]
    rounds = [
        [once if once > SLOW else timed(call) for call, once in zip(calls, first, strict=True)]
        for _ in range(repeat)
    ]
    return [list(column) for column in zip(*rounds, strict=True)]


def ratio(numerators, denominators):
    """Median ratio of the paired rounds."""
    return statistics.median(a / b for a, b in zip(numerators, denominators, strict=True))


@contextlib.contextmanager
def threads(number):
    """Give torch and the BLAS of numpy so many threads, and hide warnings of short fits."""
    torch.set_num_threads(number)
    with threadpool_limits(limits=number, user_api="blas"), warnings.catch_warnings():
        # An epoch is enough to measure times, and 256 units for more columns.
        warnings.simplefilter("ignore")
        yield


def digits(value):
    """Three significant digits, without an exponent."""
    return f"{value:.{max(0, 3 - len(str(int(abs(value)))))}f}"


def duration(value):
    """Seconds in the unit that reads best."""
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if value * factor >= 1:
            return f"{digits(value * factor)} {unit}"
    return f"{value * 1e6:.0f} µs"


def at_most(line, value, bound, about="", show=digits):
    """A row whose value must not exceed a bound."""
    return _row(line, show(value), f"at most {show(bound)}", value <= bound, about)


def at_least(line, value, bound, about="", show=digits):
    """A row whose value must reach a bound."""
    return _row(line, show(value), f"at least {show(bound)}", value >= bound, about)


def stated(line, measured):
    """A row without a bound."""
    return {"line": line, "measured": measured, "bound": "", "holds": ""}


def times(value):
    """A ratio as a factor."""
    return f"{digits(value)} times"


def medians(**measured):
    """Name median times: 'sample 31 ms, score 20 ms'."""
    return ", ".join(
        f"{name.replace('_', ' ')} {duration(statistics.median(values))}"
        for name, values in measured.items()
    )


def _row(line, measured, bound, holds, about):
    return {
        "line": line,
        "measured": f"{measured} ({about})" if about else measured,
        "bound": bound,
        "holds": "yes" if holds else "no",
    }
