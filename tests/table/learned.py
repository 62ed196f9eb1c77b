"""Tables as tests of this wing learn them, and layouts without a table."""

import numpy as np

from skmade._table.encoding import KINDS
from skmade._table.frame import column_words
from skmade._table.layout import Layout
from skmade._table.learning import learn_columns, resolve_kinds
from skmade._table.numbers import Numbers, survey


def layout_of(n_features, levels=None, names=None):
    """Return the layout of an array, or of a DataFrame with names."""
    levels = [None] * n_features if levels is None else levels
    container = "array" if names is None else "pandas"
    return Layout(container, names, ["float64"] * n_features, levels, [None] * n_features)


def resolve(feature_types, X, levels=None, names=None):
    """Return the kinds of columns whose types are declared as for an estimator."""
    words = column_words(feature_types, X.shape[1], names, (*KINDS, "auto"))
    return resolve_kinds(words, survey(Numbers(X)), layout_of(X.shape[1], levels, names))


def learn(X, weight=None, feature_types="auto", **options):
    """Learn the columns of numbers."""
    X = np.asarray(X, dtype=float)
    weight = np.ones(len(X)) if weight is None else np.asarray(weight, dtype=float)
    return learn_columns(X, weight, resolve(feature_types, X), **options)


def column(values):
    """Return a table of one column."""
    return np.asarray(values, dtype=float)[:, None]
