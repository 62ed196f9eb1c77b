"""How a defect is described and planted: functions of the package are replaced in place."""

import functools
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass

DEFECTS = {}


@dataclass(frozen=True)
class Defect:
    """A change of the package that takes something from its users."""

    name: str
    kind: str  # 'API' or 'density'
    breaks: str
    plant: Callable[[], None]
    tests: tuple[str, ...]  # files or node ids below tests/, one of which must fail


def defect(kind, *tests):
    """Register a function that plants a defect; its name and docstring describe it."""

    def register(plant):
        name = plant.__name__.replace("_", "-")
        assert name not in DEFECTS, name
        DEFECTS[name] = Defect(name, kind, plant.__doc__, plant, tests)
        return plant

    return register


def patch(owner, name):
    """Replace a function of a module or a class by one that gets it as first argument."""

    def decorate(function):
        old = inspect.getattr_static(owner, name)

        @functools.wraps(old)
        def new(*args, **kwargs):
            return function(old, *args, **kwargs)

        put(owner, name, new)
        return function

    return decorate


def patch_property(owner, name):
    """Replace a property of a class by a function of the object."""
    return lambda function: setattr(owner, name, property(function))


def put(owner, name, value):
    """Replace an attribute, in every module of the package that has imported it."""
    old = inspect.getattr_static(owner, name)
    setattr(owner, name, value)
    if not inspect.ismodule(owner):
        return
    for module in [m for key, m in sys.modules.items() if key.startswith("skmade")]:
        if vars(module).get(name) is old:
            setattr(module, name, value)
