"""Public docstrings pass numpydoc's validation."""

import inspect
from types import FunctionType

import pytest
from numpydoc.validate import validate

import skmade

# Not asked for: an extended summary, See Also, a name beside the type of what is returned;
# and the layout of a docstring's first and last line, which the formatter decides.
OPTIONAL = {"ES01", "SA01", "RT02", "GL01"}
WITHOUT_EXAMPLES = {"EX01"}  # methods: the example is their class's

MODULES = ("skmade.datasets", "skmade.inspection", "skmade.metrics")


def public_names():
    """Yield the full names of all public classes, functions and methods."""
    for module in (skmade, skmade.metrics, skmade.datasets, skmade.inspection):
        for name, member in vars(module).items():
            if name.startswith("_") or not getattr(member, "__module__", "").startswith(
                "skmade"
            ):
                continue
            yield f"{module.__name__}.{name}"
            if inspect.isclass(member):
                yield from (f"{module.__name__}.{name}.{m}" for m in methods_of(member))


def methods_of(cls):
    """Return the names of the public methods of a class that skmade wrote."""
    own = [base for base in cls.__mro__ if base.__module__.startswith("skmade")]
    attributes = {name: value for base in reversed(own) for name, value in vars(base).items()}
    return [
        name
        for name, value in attributes.items()
        if not name.startswith("_") and isinstance(value, FunctionType | classmethod)
    ]


def test_the_names_are_found():
    names = list(public_names())
    assert "skmade.MADEDensity.fit" in names
    assert "skmade.MADEDensity.score_samples" in names
    assert "skmade.metrics.mean_log_likelihood" in names
    assert "skmade.datasets.Ring.sample" in names
    assert "skmade.inspection.DensityDisplay.from_estimator" in names
    assert "skmade.MADEOutlierDetector.predict" in names


@pytest.mark.parametrize("name", list(public_names()))
def test_docstring(name):
    optional = OPTIONAL
    if name.count(".") - name.startswith(MODULES) == 2:
        optional = OPTIONAL | WITHOUT_EXAMPLES
    errors = [error for error in validate(name)["errors"] if error[0] not in optional]
    assert not errors
