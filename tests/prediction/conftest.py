"""What tests of predictions share: numbers of threads."""

from contextlib import contextmanager

import pytest

from skmade import _threads
from skmade._prediction import scoring


@pytest.fixture
def n_threads(monkeypatch):
    """Set how many threads there are."""

    def put(number):
        @contextmanager
        def one_thread_inside():
            yield number

        monkeypatch.setattr(_threads, "one_thread_inside", one_thread_inside)
        monkeypatch.setattr(scoring, "one_thread_inside", one_thread_inside)

    return put
