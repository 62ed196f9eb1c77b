"""`MADEDensity`, whole: parameters, fit, answers and saved state."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin, _fit_context
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import check_scalar
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ._dask.answers import impute_partitions, score_partitions
from ._dask.fitting import fit_partitions
from ._dask.partitions import fetched, is_partitioned
from ._distributions import conditional_of
from ._fitting import Run, fit_rows
from ._input import (
    fitted_ensemble,
    is_region,
    private_random_state,
    read_fitted,
    read_given,
    read_regions,
    read_table,
    working_bytes,
)
from ._prediction.drawing import complete, draw, draw_given
from ._prediction.regions import draw_in_region, log_probability
from ._prediction.scoring import by_chunks, feature_log_density, log_density
from ._table.checks import warn_far, warn_user
from ._table.encoding import KINDS
from ._table.frame import collected, to_numbers
from ._table.layout import extended
from ._table.rebuild import to_table, with_own_cells
from ._table.regions import nearest_row

# Draws are called few when less than this many, or this share of those asked for, are
# effective.
MIN_EFFECTIVE, MIN_EFFECTIVE_SHARE = 50, 0.1

# A row is completed from few draws when less than this many are effective.
MIN_EFFECTIVE_OF_ROW = 5

# How missing cells can be filled in.
STRATEGIES = ("sample", "mean", "median")

ADVICE = (
    "Fit with order_agnostic=True, which can put any columns first, or with an `ordering` "
    "that puts these first."
)


@cache
def current_version():
    """Return the version of the skmade that runs."""
    return version("skmade")


class MADEDensity(CallbackSupportMixin, DensityMixin, BaseEstimator):
    """Density estimation with masked autoencoders (MADE).

    The joint density of the columns is a product of conditionals, one for each column
    given those before it in an ordering. One network computes all of them: its weights
    are masked so that no output depends on its own column or a later one. Numbers get
    mixtures of Gaussians, rounded for counts; labels get probabilities; missing cells (NaN,
    None) are marginalised. Several networks, the members, are trained and averaged.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int or int, default=(128, 128)
        Units in each hidden layer; a number is one layer.
    activation : {'relu', 'tanh', 'logistic', 'softplus', 'identity'}, default='relu'
        Activation of the hidden units.
    n_components : int or 'auto', default='auto'
        Gaussians in the conditional of a continuous column or a count; 'auto' is 10 in most
        members, 3 in some of tables of less than 5000 rows, and in others as many as the
        mixture of Gaussians that they start as has, up to 20.
    min_scale : float or None, default=None
        Smallest width of the Gaussians of continuous columns, in standard deviations of
        the column; None is as narrow as its values are rounded, and at values that recur.
        With a number, 'auto' below calls no column a count.
    feature_types : str, list of str or dict, default='auto'
        'continuous', 'binary', 'categorical', 'count' (integers) or 'auto', for all
        columns, each, or by name (position, without names). 'auto' calls labels of a
        DataFrame categorical, two labels or 0 and 1 alone binary, whole numbers counts where
        their distance of one is not small beside their spread, and other numbers, dates and
        durations continuous.
    bounds : dict or None, default=None
        Lowest and highest number or date of columns, as {column: (low, high)} (position,
        without names), None for an open end. There is no density beyond, and training rows
        with such cells are an error, as are bounds of labels. A column whose smallest or
        largest value recurs (zeros of money, a full scale) ends there by itself.
    handle_unknown : {'error', 'smoothed'}, default='error'
        Labels that fit did not see, and numbers in a column of 0 and 1: an error, or the
        mass of half a training row. Levels that a dtype declares always share it.
    ordering : {'natural', 'random'} or array-like of int, default='random'
        Order of the columns: as in the table, drawn for each member, or their positions,
        the same for all members. With `order_agnostic` it is the first of each member's. Of
        several orderings, of shape (n_orderings, n_features), each member has the next, or
        each member and mask.
    order_agnostic : bool, default=False
        Each mini-batch uses the next of `n_masks` random orderings, and prediction
        averages them [1]_.
    connectivity_agnostic : bool, default=False
        Each mini-batch uses the next of `n_masks` draws of the hidden units' degrees,
        and prediction averages them [1]_.
    n_masks : int, default=16
        Masks in the fixed list of order- or connectivity-agnostic training.
    conditioning_weights : bool or None, default=None
        Add weights from a constant 1 through the masks of the inputs, which tell a unit
        which columns it was shown [1]_, and are 0 where a cell is missing. None adds them
        if `order_agnostic`, or if cells are missing in fit.
    direct_connections : bool, default=True
        Add linear connections from inputs to outputs. Training then starts from linear
        regression on the columns before, a full-covariance Gaussian. Where a member would
        have more than 2**24 of them (about 750 columns) there are none, with a warning.
    residual : bool, default=True
        Let a hidden layer as wide as the one before add its input to its output.
    n_estimators : int or 'auto', default='auto'
        Number of members that are trained, each with its own ordering; 'auto' is 12, 4 from
        5000 rows on, or 8 where all are trained alike. Those that held-out rows say are of no
        use are left out.
    dropout : float or 'auto', default='auto'
        Share of hidden units switched off at random in training, in [0, 1). With 'auto' members
        differ: some have none, others 500 divided by the number of rows, within 0.05 and 0.2,
        and of tables of less than 5000 rows some learn numbers with noise added [2]_. Held-out
        rows say how much each kind of member counts [3]_. Without them, without numbers, or for
        a single member it is that share for all.
    alpha : float, default=0.01
        Strength of the weight decay (decoupled from the gradient, as in AdamW); direct
        connections decay toward where they start.
    batch_size : int or 'auto', default='auto'
        Rows in a mini-batch; 'auto' is a twentieth of the rows, within 64 and 256.
    learning_rate_init : float, default=0.01
        Largest step size, of means in units of the square root of what the start leaves
        unexplained; it rises to this over 100 steps and falls to zero over `max_iter`
        epochs. In `partial_fit` it stays.
    max_iter : int or 'auto', default='auto'
        Largest number of epochs; 'auto' is 100, or 200 from 5000 rows on, and less where
        that is more than 1.5 million rows, at least 20.
    early_stopping : bool, default=True
        Hold out rows and keep the weights of the epoch that scores best on them. If
        False, train `max_iter` epochs on all rows.
    validation_fraction : float, default=0.1
        Share of the rows that each member holds out.
    n_iter_no_change : int, default=20
        Epochs without a gain of `tol` after which a member stops.
    tol : float, default=1e-4
        Gain in held-out log-likelihood, in nats per row, that counts.
    warm_start : bool, default=False
        Let `fit` go on from the weights and the standardisation of the last fit.
    n_jobs : int or None, default=None
        None trains on as many threads as torch would use; a number asks for so many joblib
        jobs (-1: all processors). The model is the same.
    device : str, default='cpu'
        The torch device to train on. Scoring and sampling are on the CPU.
    random_state : int, RandomState instance or None, default=None
        Draws orderings, weights, folds and mini-batches; None takes fresh entropy.
    verbose : bool, default=False
        Print a line for each epoch.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns seen in fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if they are all strings.
    feature_types_ : ndarray of shape (n_features,)
        Kind of each column.
    ordering_ : ndarray of shape (n_members, n_masks, n_features)
        Column positions in the order in which each member and mask models them.
    n_iter_ : int
        Epochs of the member that trained longest.
    history_ : dict of list of float
        Mean log-likelihood of the rows per epoch, averaged over members, in nats:
        'train' (while weights change, with dropout) and 'validation' (averaged weights).
    best_validation_score_ : float or None
        Mean held-out log-likelihood of the weights that were kept (by at most 8 of the
        masks), averaged over members, in nats per row; None without early stopping. It is of
        rows that chose the epoch, and that what is learned of each column alone (its kind,
        resolution, recurring values, ends and transform) has seen: score other rows to compare
        models. Rows of `X_val` have seen nothing but the choice of the epoch.

    See Also
    --------
    sklearn.neighbors.KernelDensity : Density estimation from stored rows.
    sklearn.mixture.GaussianMixture : Density estimation by a mixture of Gaussians.

    References
    ----------
    .. [1] Germain, Gregor, Murray and Larochelle (2015). MADE: Masked Autoencoder for
       Distribution Estimation. ICML. https://arxiv.org/abs/1502.03509
    .. [2] Rothfuss, Ferreira, Boehm, Walther, Ulrich, Asfour and Krause (2019). Noise
       Regularization for Conditional Density Estimation. https://arxiv.org/abs/1907.08982
    .. [3] Smyth and Wolpert (1999). Linearly Combining Density Estimators via Stacking.
       Machine Learning 36.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmade import MADEDensity
    >>> X = load_iris().data
    >>> density = MADEDensity(n_estimators=2, random_state=0).fit(X)
    >>> density.score_samples(X[:3]).shape
    (3,)
    >>> density.sample(2, random_state=0).shape
    (2, 4)
    """

    _parameter_constraints: ClassVar[dict] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({"relu", "tanh", "logistic", "softplus", "identity"})],
        "n_components": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "min_scale": [Interval(Real, 0, None, closed="neither"), None],
        "feature_types": [StrOptions({"auto", *KINDS}), "array-like", dict],
        "bounds": [dict, None],
        "handle_unknown": [StrOptions({"error", "smoothed"})],
        "ordering": [StrOptions({"natural", "random"}), "array-like"],
        "order_agnostic": ["boolean"],
        "connectivity_agnostic": ["boolean"],
        "n_masks": [Interval(Integral, 1, None, closed="left")],
        "conditioning_weights": ["boolean", None],
        "direct_connections": ["boolean"],
        "residual": ["boolean"],
        "n_estimators": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "dropout": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "n_jobs": [Integral, None],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    _doc_link_module = "skmade"
    _doc_link_template = (
        "https://skmade.readthedocs.io/en/stable/api/{estimator_module}.{estimator_name}.html"
    )

    def __init__(
        self,
        hidden_layer_sizes=(128, 128),
        *,
        activation="relu",
        n_components="auto",
        min_scale=None,
        feature_types="auto",
        bounds=None,
        handle_unknown="error",
        ordering="random",
        order_agnostic=False,
        connectivity_agnostic=False,
        n_masks=16,
        conditioning_weights=None,
        direct_connections=True,
        residual=True,
        n_estimators="auto",
        dropout="auto",
        alpha=0.01,
        batch_size="auto",
        learning_rate_init=0.01,
        max_iter="auto",
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=20,
        tol=1e-4,
        warm_start=False,
        n_jobs=None,
        device="cpu",
        random_state=None,
        verbose=False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.n_components = n_components
        self.min_scale = min_scale
        self.feature_types = feature_types
        self.bounds = bounds
        self.handle_unknown = handle_unknown
        self.ordering = ordering
        self.order_agnostic = order_agnostic
        self.connectivity_agnostic = connectivity_agnostic
        self.n_masks = n_masks
        self.conditioning_weights = conditioning_weights
        self.direct_connections = direct_connections
        self.residual = residual
        self.n_estimators = n_estimators
        self.dropout = dropout
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_state")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None, X_val=None):
        """Learn the joint density of the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows. An array or mapped file of numbers is never copied whole; of
            more than 200,000 rows a random sample describes the columns. A table of dask
            may be larger than memory: each member then trains on partitions of its own.
        y : None
            Ignored; here for the API.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, relative to the others; zero leaves it out. Small multiples of
            the least weight are numbers of rows.
        X_val : array-like of shape (n_val_samples, n_features), default=None
            Rows to stop early by (in a Pipeline, name them in its `transform_input`).

        Returns
        -------
        self : MADEDensity
            The fitted estimator. After an error it is as it was before.

        Warns
        -----
        ConvergenceWarning
            If training diverged, or no epoch of any member improved on its start.
        """
        run = Run(
            resume=self.warm_start and self.__sklearn_is_fitted__(),
            early_stopping=self.early_stopping,
            max_iter=self.max_iter,
        )
        if is_partitioned(X):
            return fit_partitions(self, X, sample_weight, X_val, run)
        return fit_rows(self, X, fetched(sample_weight), fetched(X_val), run)

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Train one epoch on a chunk of rows, without held-out rows.

        The first call learns kinds and standardisation from its chunk, which should be
        large and mixed; later calls go on from there, the optimiser's state included.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            A chunk of rows.
        y : None
            Ignored; here for the API.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        Returns
        -------
        self : MADEDensity
            The estimator after one more epoch. After an error it is as it was before.
        """
        run = Run(
            resume=self.__sklearn_is_fitted__(),
            early_stopping=False,
            max_iter=1,
            keep_optimizer=True,
        )
        return fit_rows(self, fetched(X), fetched(sample_weight), None, run)

    def score_samples(self, X):
        """Log-density of each row, in nats.

        A density may exceed one, so its logarithm may be positive. Continuous columns
        contribute densities in the units of X (per second for dates and durations), the
        others probabilities, and a missing cell nothing: the score is the log-density of the
        cells that are there.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            Natural logarithm of the density, finite for every finite row. For a table of
            dask it is an array of dask, by partitions, and so are the other answers.
        """
        if is_partitioned(X):
            return score_partitions(self, X, "score_samples")
        ensemble, numbers = read_fitted(self, X)
        return by_chunks(log_density, ensemble, numbers, working_bytes())

    def score(self, X, y=None, sample_weight=None):
        """Total log-likelihood of the rows, in nats, as `KernelDensity.score`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.
        y : None
            Ignored; here for the API.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        Returns
        -------
        log_likelihood : float
            Sum of `score_samples`; `skmade.metrics.mean_log_likelihood` is the mean.
        """
        scores = self.score_samples(X)
        if sample_weight is not None:
            scores = np.asarray(scores)  # of partitions too, whose rows may not be counted yet
            scores *= _check_sample_weight(sample_weight, scores, ensure_non_negative=True)
        return float(scores.sum())

    def score_features(self, X):
        """Log-probability of each feature, in nats: those of a row sum to its log-density.

        It is that of the cell given the columns before it in the ordering. Of members and
        masks it is averaged by their probability given the row; what the average density
        has beyond that is spread evenly over the row's cells.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_features)
            They sum to `score_samples`; 0 for a missing cell.
        """
        if is_partitioned(X):
            check_is_fitted(self)
            return score_partitions(self, X, "score_features", (self.n_features_in_,))
        ensemble, numbers = read_fitted(self, X)
        return by_chunks(feature_log_density, ensemble, numbers, working_bytes())

    def sample(self, n_samples=1, random_state=None, given=None):
        """Draw rows from the density, column by column in the order of the members.

        Numbers come as they were recorded: on the grid of their column (whole numbers,
        decimals) and within its ends; the mass between two numbers of a grid goes to the
        nearest. Rows are complete: no cell is missing, however many were in fit.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Source of the draws; None gives different rows at each call.
        given : dict or array-like of shape (n_features,), default=None
            Cells that every row shall have, as {column: value} (position, without names)
            or as one row with NaN for the rest. In a dict a column may also be given as an
            interval ``(low, high)`` of numbers, None for an open end, or as a list or set of
            values or labels. The rest is drawn given these cells: exactly where orderings put
            single values first, as `order_agnostic` members can, and otherwise from weighted
            draws, with a warning if few of them fit. Given a number far from all rows of fit
            the rest is of the background, with a warning.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            Drawn rows, in the form of the table that was fitted.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skmade import MADEDensity
        >>> X = load_iris(as_frame=True).data
        >>> density = MADEDensity(n_estimators=1, order_agnostic=True, random_state=0).fit(X)
        >>> rows = density.sample(3, random_state=0, given={"petal length (cm)": 5.0})
        >>> rows["petal length (cm)"].tolist()
        [5.0, 5.0, 5.0]
        >>> rows = density.sample(3, random_state=0, given={"petal length (cm)": (5.5, None)})
        >>> bool((rows["petal length (cm)"] >= 5.5).all())
        True
        """
        ensemble, layout = fitted_ensemble(self)
        n_samples = int(check_scalar(n_samples, "n_samples", Integral, min_val=1))
        rng = private_random_state(random_state)
        if given is None:
            return to_table(layout, draw(ensemble, n_samples, rng))
        if isinstance(given, Mapping) and any(map(is_region, given.values())):
            asked = read_regions(given, layout, ensemble.table)
            warn_far(ensemble.table, nearest_row(asked, ensemble.table), layout)
            numbers, n_effective = draw_in_region(ensemble, asked, n_samples, rng)
            drawn = np.ones(numbers.shape, dtype=bool)
        else:
            row = read_given(self, given, layout, ensemble.table)
            warn_far(ensemble.table, row[None], layout)
            numbers, n_effective = draw_given(ensemble, row, n_samples, rng)
            drawn = np.broadcast_to(np.isnan(row), numbers.shape)
            numbers = np.where(drawn, numbers, row)
        if n_effective < max(MIN_EFFECTIVE, MIN_EFFECTIVE_SHARE * n_samples):
            warn_user(
                f"Only about {n_effective:.0f} different draws fit the given cells. {ADVICE}"
            )
        return to_table(layout, numbers, drawn)

    def log_probability(self, given):
        """Log-probability of a region, in nats.

        Parameters
        ----------
        given : dict or list of dict
            Where columns are, as in `sample`: values, intervals ``(low, high)``, lists or sets.
            Ends of intervals belong to them; of a column that was recorded on a grid, an
            interval is all that is nearest to the numbers of the grid in it, as draws are. A
            single value of a continuous column counts by its density. Columns that are not
            named may be anywhere.

        Returns
        -------
        log_probability : float, or ndarray of shape (n_regions,) for a list
            Exact for tables of labels alone with up to 4096 states in the region; else from
            8192 draws, always the same, of which each weighs the mass that its conditionals
            have in the region (progressive sampling [1]_).

        References
        ----------
        .. [1] Yang, Liang, Kamsetty, Wu, Duan, Chen, Abbeel, Hellerstein, Krishnan and Stoica
           (2019). Deep Unsupervised Cardinality Estimation. VLDB.
           https://arxiv.org/abs/1905.04278

        Examples
        --------
        >>> import numpy as np
        >>> from skmade import MADEDensity
        >>> X = np.random.RandomState(0).normal(size=(1000, 2))
        >>> density = MADEDensity(n_estimators=2, random_state=0).fit(X)
        >>> probability = np.exp(density.log_probability({0: (0, None), 1: (None, 0)}))
        >>> bool(0.2 < probability < 0.3)
        True
        """
        ensemble, layout = fitted_ensemble(self)
        several = isinstance(given, list) and all(isinstance(one, Mapping) for one in given)
        regions = given if several else [given]
        asked = [read_regions(region, layout, ensemble.table) for region in regions]
        found = [log_probability(ensemble, region) for region in asked]
        return np.array(found) if several else found[0]

    def conditional(self, X, column):
        """Distribution of one column of each row given the row's other cells.

        It is a ratio of the joint: with the log-density of the other cells, what it says of a
        value is the log-density of the row with it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, with all columns. Cells of the column itself are not looked at, other missing
            cells are marginalised.
        column : str or int, or list of these
            Name or position of the column; of columns of labels also several together.

        Returns
        -------
        distribution : NumberDistribution, CountDistribution, DiscreteDistribution or \
LabelDistribution
            Distributions of n_samples rows with the methods of ``scipy.stats``: `logpdf`
            (`logpmf` of counts and labels), `cdf`, `ppf`, `mean`, `std`, `median`, `interval`,
            `rvs`; of labels `probabilities` and `mode`.

        Notes
        -----
        Where the column is the last in the ordering of every member, it is a mixture of their
        conditionals, and takes little more time than `score_samples`. Elsewhere rows are
        scored with every label, with every count where these are few, or with 141 or more
        numbers, and what the joint sums to is found from these: to 1e-3 of it, mostly to
        1e-4. That takes as much longer, and more yet for rows with other missing cells.

        Examples
        --------
        >>> import numpy as np
        >>> from skmade import MADEDensity
        >>> a = np.random.RandomState(0).normal(size=500)
        >>> X = np.c_[a, 2 * a + np.random.RandomState(1).normal(size=500)]
        >>> density = MADEDensity(n_estimators=2, ordering="natural", random_state=0).fit(X)
        >>> given = density.conditional([[0.5, np.nan], [1.5, np.nan]], 1)
        >>> given.mean().round(0), given.std().round(0)
        (array([1., 3.]), array([1., 1.]))
        """
        if is_partitioned(X):
            raise TypeError(
                "conditional takes rows in memory, not a table of dask: ask for one partition "
                "at a time, by X.partitions[0].compute()."
            )
        check_is_fitted(self)
        return conditional_of(self, X, column)

    def impute(self, X, strategy="sample", random_state=None):
        """Fill in the missing cells of rows from the density given their other cells.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with missing cells (NaN, None).
        strategy : {'sample', 'mean', 'median'}, default='sample'
            'sample' draws the missing cells of a row together, as they were recorded; 'mean'
            takes the conditional mean of a number and the most probable label, 'median' the
            median, as recorded, and that label. All follow the background, with a warning,
            where an observed number is far from all rows of fit.
        random_state : int, RandomState instance or None, default=None
            Source of the draws; None gives different cells at each call. With a number, the
            draws of a row follow from its cells: it is completed alike by itself, among other
            rows, and in any order of them, up to rounding. Equal rows have draws of their own,
            in turn, the first of them those of the row by itself. In a table of dask this holds
            within a partition, and each partition has other draws.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            The rows without missing cells, in the form of the table that was fitted.
            Integer columns of a DataFrame stay integers, in a table of dask those that
            are integers in it too, counts, and zeros and ones.

        Examples
        --------
        >>> import numpy as np
        >>> from skmade import MADEDensity
        >>> a = np.random.RandomState(0).normal(size=200)
        >>> density = MADEDensity(n_estimators=2, ordering="natural", random_state=0)
        >>> density = density.fit(np.c_[a, 2 * a])
        >>> density.impute([[0.5, np.nan]], strategy="mean").round(1)
        array([[0.5, 1. ]])
        """
        ensemble, layout = fitted_ensemble(self)
        if strategy not in STRATEGIES:
            raise ValueError(
                f"strategy must be 'sample', 'mean' or 'median', got {strategy!r}."
            )
        if is_partitioned(X):
            return impute_partitions(self, X, strategy, random_state)
        rng = private_random_state(random_state) if strategy == "sample" else None
        X = collected(X)
        frame, rows, unknown = read_table(self, X, layout, ensemble.table)
        numbers = rows[:]
        warn_far(ensemble.table, numbers[np.isnan(numbers).any(axis=1)], layout)
        medians = strategy == "median"
        filled, n_effective = complete(ensemble, numbers, rng, working_bytes(), medians)
        few = int((n_effective < MIN_EFFECTIVE_OF_ROW).sum())
        if few:
            warn_user(
                f"The missing cells of {few} rows were filled in from less than "
                f"{MIN_EFFECTIVE_OF_ROW} effective draws. {ADVICE}"
            )
        if unknown:  # labels that fit did not see stay as they are
            layout = extended(layout, unknown)
            filled = np.where(np.isnan(numbers), filled, to_numbers(layout, frame))
        index = X.index if layout.container == "pandas" and hasattr(X, "iloc") else None
        completed = to_table(layout, filled, np.isnan(numbers), index)
        return with_own_cells(layout, completed, X, ~np.isnan(numbers))

    def __getstate__(self):
        # The version goes into the file and not onto the estimator: a copy of what was loaded
        # is made by the version that runs, and warns no more.
        return {**super().__getstate__(), "_skmade_version": current_version()}

    def __setstate__(self, state):
        state = dict(state)
        saved, running = state.pop("_skmade_version", "unknown"), current_version()
        if saved != running:
            warn_user(
                f"This {type(self).__name__} was saved by skmade {saved} and is loaded by "
                f"skmade {running}, which may answer otherwise. Fit it again, or load it with "
                "the version that saved it."
            )
        super().__setstate__(state)
