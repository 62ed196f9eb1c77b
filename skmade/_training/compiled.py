"""Arithmetic that runs without Python's lock, where torch can compile it.

A step is some hundred operations of microseconds. Between two of them Python's lock changes
hands, and threads that train members side by side would mostly wait for it. TorchScript runs a
function's operations without it. torch calls that deprecated in favour of a compiler that needs
another one on the user's machine; where it is gone, functions stay as they are written, to the
same results.
"""

import warnings
from collections.abc import Callable
from typing import TypeVar

import torch

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Return a function of tensors, compiled if torch does so.

    Its code keeps to what TorchScript knows: typed arguments, tensors, lists of them, numbers.
    Constants are defaults of arguments, as it reads no globals.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return torch.jit.script(function)
        except Exception:  # no TorchScript, no source to read, or a construct it lacks
            return function
