"""Whether a predictor that was trained on drawn rows predicts real ones."""

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.utils import _safe_indexing

from ._tables import Column, open_table, position_of, read_together
from ._trees import binnable, generator, labelled, matrices, seed_of

DRAWN, TEST = "X_drawn", "X_test"

# No prediction counts as farther off than this, in units of the range of the test rows.
FAR = 2.0**256


def train_on_synthetic(
    X_drawn: Any,
    X_test: Any,
    target: Any,
    *,
    estimator: Any = None,
    random_state: Any = None,
) -> float:
    r"""Score a predictor on real rows that has learned from drawn ones (TSTR).

    Train on synthetic, test on real: if drawn rows hold what the other columns tell of one of
    them, the score is near to that of the same predictor trained on real rows, which this
    function returns if those are passed in the place of the drawn ones.

    For labels, the score is the area under the ROC curve of each label against the others,
    averaged by the share :math:`\pi_c` of each label in the test rows,

    .. math:: \sum_c \pi_c\, P(s_c(x) > s_c(x') \mid y = c,\ y' \neq c)

    (ties count one half), which for two labels is the one area that they have. For numbers, it
    is :math:`R^2`.

    Parameters
    ----------
    X_drawn : array-like of shape (n_drawn, n_features)
        Drawn rows: a DataFrame of pandas or polars, or an array, with numbers, labels, dates
        and missing cells. The target is one of the columns.
    X_test : array-like of shape (n_test, n_features)
        Real rows of the same columns, that the sampler was not trained on.
    target : str or int
        Name of the column to predict, or its position.
    estimator : estimator, default=None
        The predictor: a classifier or a regressor, which decides whether the target is labels
        or numbers. A clone of it is fitted to the other columns as they are in the table, so
        that it may be a Pipeline that selects columns by name. None is `HistGradientBoosting`
        of scikit-learn with its defaults. It is a classifier if the target is text,
        categories, truth values, or numbers with at most two values in the test rows, and
        otherwise a regressor.
    random_state : int, RandomState instance or None, default=None
        Source of the default predictor's randomness.

    Returns
    -------
    score : float
        At most 1. A predictor that has learned nothing scores 0.5 for labels, and 0 for
        numbers.

    Raises
    ------
    ValueError
        If the tables have different columns, a column holds numbers in one and text in the
        other, a cell is infinite, no row has a target, the test rows have a single label,
        or drawn numbers are no label although the test rows have but two.
    TypeError
        If `estimator` is no classifier or regressor, or the cells of a column are no single
        values.

    See Also
    --------
    c2st : Whether drawn rows are distributed like real ones.

    Notes
    -----
    Rows whose target is missing are left out. A label that no drawn row has gets the
    probability zero in all rows, so that its area is one half; where all drawn rows have the
    same label, the score is one half.

    Both tables together decide what a column is, as in `c2st`.

    References
    ----------
    .. [1] C. Esteban, S. L. Hyland and G. Rätsch, "Real-valued (medical) time series generation
       with recurrent conditional GANs", 2017, https://arxiv.org/abs/1706.02633, section 4.3.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.mixture import GaussianMixture
    >>> from skmade.metrics import train_on_synthetic
    >>> table = load_wine(as_frame=True).data
    >>> train, test = table[::2], table[1::2]
    >>> drawn, _ = GaussianMixture(3, reg_covar=1e-2, random_state=0).fit(train).sample(500)
    >>> round(train_on_synthetic(drawn, test, "flavanoids", random_state=0), 2)
    0.82
    >>> round(train_on_synthetic(train, test, "flavanoids", random_state=0), 2)
    0.84
    """
    columns = read_together({DRAWN: X_drawn, TEST: X_test})
    position = position_of(columns, target)
    column = columns.pop(position)
    if not columns:
        raise ValueError(f"There is no column beside the target {column.name!r}.")
    rows = [np.flatnonzero(~np.isnan(cells)) for cells in column.cells]
    for table, own in zip((DRAWN, TEST), rows, strict=True):
        if len(own) == 0:
            raise ValueError(
                f"No row of {table} has a target: {column.name!r} is missing in all."
            )
    drawn, test = (cells[own] for cells, own in zip(column.cells, rows, strict=True))
    classes = _is_labelled(column, test, estimator)
    drawn, test = _targets(column, drawn, test, classes=classes, default=estimator is None)
    if estimator is None:
        tables, predictor = matrices(columns), _trees(columns, classes, random_state)
    else:
        tables, predictor = _others(X_drawn, X_test, position), clone(estimator)
    tables = [_safe_indexing(X, own) for X, own in zip(tables, rows, strict=True)]
    if estimator is None:
        tables = [*binnable(*tables)]
    if classes:
        return _area(predictor, tables, drawn, test)
    # The trees count in single precision, other predictors get the numbers as they are.
    exponent = int(np.frexp(np.abs(drawn).max())[1]) if estimator is None else 0
    predicted = predictor.fit(tables[0], np.ldexp(drawn, -exponent)).predict(tables[1])
    return _explained(test, predicted, exponent)


def _is_labelled(column: Column, test: NDArray[Any], estimator: Any) -> bool:
    """Whether the target is labels, or refuse an estimator that cannot predict it."""
    if estimator is not None:
        classes = _classifies(estimator)
        if column.labels is not None and not classes:
            raise ValueError(
                f"The target {column.name!r} holds labels, which {type(estimator).__name__} "
                "does not predict: pass a classifier, or make them numbers."
            )
        return classes
    return column.labels is not None or len(np.unique(test)) <= 2


def _classifies(estimator: Any) -> bool:
    """Whether an estimator is a classifier or a regressor, or refuse it."""
    if not hasattr(estimator, "fit") or isinstance(estimator, type):
        raise TypeError(f"estimator={estimator!r} is no estimator: pass an instance of one.")
    if is_classifier(estimator):
        scores = hasattr(estimator, "predict_proba") or hasattr(estimator, "decision_function")
        if not scores:
            raise TypeError(
                f"{type(estimator).__name__} has neither predict_proba nor decision_function, "
                "of which one is needed: pass another classifier."
            )
        return True
    if not is_regressor(estimator):
        raise TypeError(
            f"{type(estimator).__name__} is neither a classifier nor a regressor: pass one."
        )
    return False


def _targets(
    column: Column, drawn: NDArray[Any], test: NDArray[Any], *, classes: bool, default: bool
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return targets as they are predicted, labels as text, or refuse what cannot be scored."""
    if len(np.unique(test)) < 2:
        raise ValueError(
            f"All rows of {TEST} have the same {column.name!r}, so that no prediction is "
            "better than another: pass test rows that differ."
        )
    if column.labels is not None:
        labels = np.array(column.labels)
        return labels[drawn.astype(int)], labels[test.astype(int)]
    if not classes:
        return drawn, test
    if not default:
        _check_whole(column, drawn, test)
        return drawn, test
    others = np.setdiff1d(drawn, test)
    if len(others):
        values = " and ".join(f"{value:g}" for value in np.unique(test))
        raise ValueError(
            f"The target {column.name!r} is {values} in {TEST}, but {others[0]:g} in some row "
            f"of {DRAWN}: round it there, or pass the estimator that is to predict it."
        )
    # Codes, as classifiers refuse fractions.
    return np.searchsorted(np.unique(test), drawn), np.unique(test, return_inverse=True)[1]


def _check_whole(column: Column, drawn: NDArray[Any], test: NDArray[Any]) -> None:
    """Refuse numbers that classifiers would."""
    for table, values in ((DRAWN, drawn), (TEST, test)):
        fractions = values[values != np.rint(values)]
        if len(fractions):
            raise ValueError(
                f"The target {column.name!r} is {fractions[0]:g} in some row of {table}, which "
                "is no label for a classifier: round it, or pass a regressor."
            )


def _explained(test: NDArray[Any], predicted: NDArray[Any], exponent: int) -> float:
    """Return R² of predictions over a power of two.

    Squares of huge numbers are infinite, and of tiny ones zero: the range of the test rows is
    the unit.
    """
    unit = int(np.frexp(test.max() / 2 - test.min() / 2)[1])
    with np.errstate(over="ignore"):
        predicted = np.ldexp(np.asarray(predicted, dtype=np.float64), exponent - unit)
    return float(r2_score(np.ldexp(test, -unit), np.clip(predicted, -FAR, FAR)))


def _trees(columns: list[Column], classes: bool, random_state: Any) -> Any:
    """Return the default predictor from these columns."""
    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    return kind(
        categorical_features=labelled(columns), random_state=seed_of(generator(random_state))
    )


def _others(X_drawn: Any, X_test: Any, position: int) -> list[Any]:
    """Return the tables as they came, without the target, their columns in one order."""
    opened = [open_table(X_drawn, DRAWN), open_table(X_test, TEST)]
    framed = next((X for X in opened if isinstance(X, nw.DataFrame)), None)
    names = [] if framed is None else [*framed.columns]
    del names[position : position + 1]
    return [
        # By positions, as `select` takes no names but text.
        X[:, [X.columns.index(name) for name in names]].to_native()
        if isinstance(X, nw.DataFrame)
        else np.delete(X, position, axis=1)
        for X in opened
    ]


def _one_against_one(predictor: Any) -> bool:
    """Whether `decision_function` is of each pair of labels, as of SVC it may be."""
    shapes = (
        value
        for name, value in predictor.get_params().items()
        if name.split("__")[-1] == "decision_function_shape"
    )
    return "ovo" in shapes and not hasattr(predictor, "predict_proba")


def _area(predictor: Any, X: list[Any], drawn: NDArray[Any], test: NDArray[Any]) -> float:
    """Return the mean area under the ROC curve of each label of the test rows."""
    if len(np.unique(drawn)) == 1:  # there is nothing to learn, and classifiers refuse
        return 0.5
    predictor.fit(X[0], drawn)
    ask = "predict_proba" if hasattr(predictor, "predict_proba") else "decision_function"
    scores = getattr(predictor, ask)(X[1])
    if scores.ndim > 1 and _one_against_one(predictor):
        raise ValueError(
            f"{type(predictor).__name__} scores pairs of labels: set its parameter "
            "decision_function_shape to 'ovr'."
        )
    if scores.ndim == 1:  # decision_function of two labels
        scores = np.stack([-scores, scores], axis=1)
    known = list(predictor.classes_)
    labels, counts = np.unique(test, return_counts=True)
    areas = [
        roc_auc_score(test == label, scores[:, known.index(label)]) if label in known else 0.5
        for label in labels
    ]
    return float(np.average(areas, weights=counts))
