"""What a display asks of an estimator: the density inside it, its rows, draws from it."""

import copy
import inspect

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.utils import get_tags
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils.validation import check_is_fitted, check_random_state

from ._columns import read_columns


def unwrap(estimator):
    """Return the density inside searches, detectors and Pipelines, and what is before it."""
    transformers = []
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "estimator_"):
            estimator = estimator.estimator_
        elif hasattr(estimator, "steps"):
            transformers += [estimator[:-1]] if len(estimator) > 1 else []
            estimator = estimator[-1]
        else:
            return estimator, transformers


def name_of(estimator):
    """Return the class name of the density inside an estimator."""
    return type(unwrap(estimator)[0]).__name__


def open_density(estimator, display, *methods):
    """Return the fitted density inside an estimator, and what is before it, or refuse it."""
    check_matplotlib_support(f"{display}.from_estimator")
    density, transformers = unwrap(estimator)
    lacking = [method for method in methods if not hasattr(density, method)]
    if lacking:
        raise TypeError(
            f"{display} needs an estimator with the method {lacking[0]!r}, which "
            f"{type(density).__name__} lacks."
        )
    if hasattr(density, "fit"):
        check_is_fitted(density)
    return density, transformers


def rows_of(density, transformers, X):
    """Return rows as the density takes them, behind the transformers, and as columns."""
    names, X = None, collected(X)
    for transformer in transformers:
        X = transformer.transform(X)
        if hasattr(transformer, "get_feature_names_out"):
            names = list(transformer.get_feature_names_out())
    names = getattr(density, "feature_names_in_", names)
    return X, read_columns(X, names)


def collected(X):
    """Return the rows of a LazyFrame of polars, and anything else as it is."""
    # The twin of one in `_table`: displays of any density know nothing of that of a MADE.
    lazy = isinstance(nw.from_native(X, pass_through=True), nw.LazyFrame)
    return X.collect() if lazy and hasattr(X, "collect") else X


def generator(random_state):
    """Return a RandomState; None means fresh entropy, not NumPy's global generator."""
    # The twin of one in `_input`: displays of any density know nothing of that of a MADE.
    return np.random.RandomState() if random_state is None else check_random_state(random_state)


def draw(density, n_samples, rng):
    """Draw rows from a density with any of scikit-learn's ways to say how."""
    arguments = {}
    if "random_state" in inspect.signature(density.sample).parameters:
        arguments["random_state"] = rng.randint(2**31 - 1)
    else:  # GaussianMixture draws from its own parameter
        density = copy.copy(density)
        density.random_state = rng
    try:
        drawn = density.sample(n_samples, **arguments)
    except NotImplementedError as error:
        raise TypeError(f"{density!r} draws no rows.") from error
    return drawn[0] if isinstance(drawn, tuple) else drawn  # labels of components come second


def with_names(density, drawn, rows):
    """Return an array of draws with the names that fit saw, if other rows have names."""
    names = getattr(density, "feature_names_in_", None)
    frame = nw.from_native(rows, eager_only=True, pass_through=True)
    if (
        names is None
        or not isinstance(drawn, np.ndarray)
        or not isinstance(frame, nw.DataFrame)
    ):
        return drawn
    return nw.from_numpy(drawn, list(names), backend=frame.implementation).to_native()


def score_drawn(density, drawn, rows):
    """Score drawn rows, which get the column names of other rows if they have none."""
    frame = nw.from_native(rows, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame) and isinstance(drawn, np.ndarray):
        drawn = nw.from_numpy(drawn, frame.columns, backend=frame.implementation).to_native()
    return density.score_samples(drawn)


def marginalises(density):
    """Whether the density scores rows by the cells that are not missing."""
    return hasattr(density, "__sklearn_tags__") and get_tags(density).input_tags.allow_nan
