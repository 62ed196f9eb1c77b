"""Models that tests share: random weights (laws hold untrained), or quick to fit."""

import os

# Before NumPy and torch start their threads. Tests run in one process for each core
# (pytest-xdist), and more threads than cores wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import itertools
import signal
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from conditionals import RECURRING, mixture_law
from configurations import CONFIGURATIONS as CASES
from scipy.special import expit

from skmade import MADEDensity, _background
from skmade._conditionals import INPUT_BOUND
from skmade._ensemble import Architecture, draw_ensemble
from skmade._features import encode, learn_table
from skmade._network import MADE
from skmade._numbers import Numbers
from skmade._objective import Objective
from skmade._prediction import compute_hidden, prepare, product
from skmade._rows import Rows, open_source


def make_ensemble(
    n_features,
    n_binary=0,
    *,
    levels=(),
    n_counts=0,
    n_members=2,
    n_masks=3,
    hidden_layer_sizes=(16, 16),
    n_components=3,
    seed=0,
    scale=0.5,
    activation="relu",
    residual=True,
    direct_connections=True,
    conditioning_weights=True,
    order_agnostic=True,
    connectivity_agnostic=True,
    columns_scale=1.0,
    missing=0.0,
    unknown=False,
):
    """Return an ensemble of untrained members whose weights are all random.

    Columns are binary, categorical (one for each number in `levels`), counts (the first of
    them never negative), and else continuous, in random order.
    """
    rng = np.random.RandomState(seed)
    kinds, n_levels = draw_kinds(n_features, n_binary, levels, n_counts, rng)
    X = draw_table(kinds, n_levels, 50, rng) * np.where(
        kinds == "continuous", columns_scale, 1.0
    )
    X[rng.random_sample(X.shape) < missing] = np.nan
    architecture = Architecture(
        hidden_layer_sizes,
        activation,
        n_components,
        residual,
        direct_connections,
        conditioning_weights,
    )
    table = learn_table(X, np.ones(50), kinds, n_levels, smoothed=unknown)
    ensemble = draw_ensemble(
        table,
        Rows(open_source(table, Numbers(X), None, 0), n_members),
        architecture,
        seeds=range(n_members),
        n_masks=n_masks,
        order_agnostic=order_agnostic,
        connectivity_agnostic=connectivity_agnostic,
    )
    weights = ensemble.weights + rng.normal(scale=scale, size=ensemble.weights.shape)
    return replace(ensemble, weights=weights.astype(np.float32))


def draw_kinds(n_features, n_binary, levels, n_counts, rng):
    """Return the kinds of columns in random order, and the levels of the categorical ones."""
    n_continuous = n_features - n_binary - len(levels) - n_counts
    kinds = np.repeat(
        ["continuous", "binary", "count", "categorical"],
        [n_continuous, n_binary, n_counts, len(levels)],
    )
    n_levels = np.concatenate([np.zeros(n_features - len(levels), dtype=np.int64), levels])
    order = rng.permutation(n_features)
    return kinds[order], n_levels[order].astype(np.int64)


def draw_table(kinds, n_levels, n_samples, rng):
    """Draw independent columns of the given kinds."""
    X = rng.normal(size=(n_samples, len(kinds)))
    n_signed = 0
    for column, kind in enumerate(kinds):
        if kind == "binary":
            X[:, column] = rng.randint(2, size=n_samples)
        elif kind == "categorical":
            X[:, column] = rng.randint(n_levels[column], size=n_samples)
        elif kind == "count":
            X[:, column] = rng.poisson(2.0, size=n_samples) - 3 * n_signed
            n_signed += 1
    return X


def draw_values(ensemble, n_rows, rng, missing=0.0):
    """Draw rows as the network takes them, with some cells missing."""
    X = draw_table(ensemble.table.kinds, ensemble.table.n_levels, n_rows, rng)
    values = encode(ensemble.table, X)
    values[rng.random_sample(values.shape) < missing] = np.nan
    return values


ACTIVATIONS = {
    "relu": lambda sums: np.where(sums > 0, sums, 0),
    "tanh": np.tanh,
    "logistic": expit,
    "softplus": lambda sums: np.logaddexp(0, sums),
    "identity": lambda sums: sums,
}


@dataclass(frozen=True)
class Component:
    """One member with one mask, by the equations: dense products of masked weights."""

    made: MADE
    flat: np.ndarray
    ranks: np.ndarray
    degrees: list

    def outputs(self, values):
        """Parameters of all conditionals, (n, n_outputs), of values (n, D)."""
        return self.outputs_of_units(units_of(self.made, values))

    def outputs_of_units(self, units):
        """Parameters of all conditionals of what enters the network, (n, n_units)."""
        made, weights = self.made, self.made.unflatten(self.flat)
        *layers, direct = made.masks(self.ranks, self.degrees)
        hidden, depth = units, len(made.hidden_layer_sizes)
        for level in range(depth):
            below = hidden
            sums = hidden @ (weights[f"weight{level}"] * layers[level]).T
            hidden = ACTIVATIONS[made.activation](sums + weights[f"bias{level}"])
            if made.residual and level and below.shape == hidden.shape:
                hidden = hidden + below
        params = hidden @ (weights[f"weight{depth}"] * layers[depth]).T
        params += weights[f"bias{depth}"]
        if made.direct_connections:
            n_outputs, n_units = made.n_direct
            params[:, :n_outputs] += units[:, :n_units] @ (weights["direct"] * direct).T
        return params

    def feature_log_prob(self, values):
        """Log-probability of each feature given those before it, (n, D); 0 if missing."""
        params, parts = self.outputs(values), np.zeros(values.shape)
        for column, (law, own, _) in enumerate(self.made.by_feature()):
            present = np.flatnonzero(~np.isnan(values[:, column]))
            logs = law.log_prob(params[present, own].T[:, None], values[None, present, column])
            parts[present, column] = logs[0]
        return parts

    def walk(self, ends):
        """Return it as prediction computes it, in steps that end with these ranks."""
        return prepare(self.made, self.flat, self.ranks, self.degrees, np.asarray(ends))

    def objective(self, dtype=torch.float64):
        """Return it as training computes it: the objective, and a stack of one member."""
        objective = Objective(self.made, dtype=dtype)
        masks = [mask[None] for mask in self.made.masks(self.ranks, self.degrees)]
        parts = objective.parts(self.flat[None])
        return objective, objective.masked(parts, objective.gates(masks))


def units_of(made, values):
    """The units that enter the network, by the definition: one feature after the other."""
    entered = np.zeros((len(values), len(made.unit_features)))
    for column, (law, _, own) in enumerate(made.by_feature()):
        value, present = values[:, column], ~np.isnan(values[:, column])
        if law.n_units > 1:
            entered[:, own] = value[:, None] == np.arange(law.n_units)
        else:
            entered[present, own.start] = np.clip(value[present], -INPUT_BOUND, INPUT_BOUND)
        if made.conditioning_weights:
            entered[:, made.present_units.start + column] = present
    return entered


def components(ensemble):
    """Return every member with every mask, member by member."""
    return [
        Component(
            ensemble.made,
            ensemble.weights[m].astype(np.float64),
            ensemble.ranks[m, k],
            [layer[m, k] for layer in ensemble.degrees],
        )
        for m, k in np.ndindex(ensemble.ranks.shape[:2])
    ]


def walk_outputs(walk, units):
    """Parameters of all conditionals by a walk, (n, n_outputs), of units (n, n_units)."""
    made, buffers = walk.made, walk.buffers(len(units))
    buffers.units[1:] = units.T[walk.unit_order]
    outputs, laws = np.empty((len(units), len(made.output_features))), made.by_feature()
    for step in walk.steps:
        compute_hidden(walk, step, buffers)
        for _, columns, rows in step.outputs:
            params = product(walk.output, rows, step.known.stop, buffers.inputs)
            for position, column in enumerate(columns):
                outputs[:, laws[column][1]] = params[position :: len(columns)].T
    return outputs


def quick(**parameters):
    """Return an estimator that fits in a fraction of a second."""
    defaults = {"hidden_layer_sizes": (16, 16), "n_components": 3, "n_estimators": 1}
    return MADEDensity(**{**defaults, "max_iter": 5, "random_state": 0, **parameters})


CONFIGURATIONS = {
    "plain": {
        "residual": False,
        "direct_connections": False,
        "conditioning_weights": False,
        "order_agnostic": False,
        "connectivity_agnostic": False,
    },
    "direct": {
        "residual": False,
        "conditioning_weights": False,
        "order_agnostic": False,
        "connectivity_agnostic": False,
    },
    "residual": {
        "conditioning_weights": False,
        "order_agnostic": False,
        "connectivity_agnostic": False,
    },
    "order-agnostic": {"connectivity_agnostic": False},
    "connectivity-agnostic": {"order_agnostic": False},
    "agnostic-three-layers": {"hidden_layer_sizes": (12, 16, 16), "activation": "tanh"},
}


@pytest.fixture
def without_background(monkeypatch):
    """Leave the density to the members, whatever is far out."""
    monkeypatch.setattr(_background, "LOG_SHARE", -1e6)
    monkeypatch.setattr(_background, "LOG_REST", 0.0)


@pytest.fixture
def heeds_ctrl_c():
    """Let Ctrl-C interrupt, which a shell's background jobs are started to ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
def configuration(request):
    """Options of `make_ensemble`, one set for each way of training."""
    return request.param


# Networks whose layers are one to three, of equal width or not, and too narrow for each
# degree of nine features to have a unit.
LAYERS = [(16,), (3,), (9, 9), (5, 16), (12, 7, 7), (8, 8, 8)]


@pytest.fixture(params=LAYERS, ids=str)
def layers(request):
    """Return the sizes of the hidden layers."""
    return request.param


@pytest.fixture(params=itertools.product([False, True], repeat=3), ids=str)
def parts(request):
    """Return which optional connections a network has."""
    names = ("residual", "direct_connections", "conditioning_weights")
    return dict(zip(names, request.param, strict=True))


@pytest.fixture(params=RECURRING.values(), ids=RECURRING.keys())
def recurring_mixture(request):
    """Return a mixture law for two features, with values that recur or without."""
    return mixture_law(3, **request.param)


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES.keys())
def case(request):
    """Return a configuration of the estimator, for the contract."""
    return request.param


@pytest.fixture(scope="module")
def table(case):
    """Return the table of a configuration."""
    return case.make_table(120)


@pytest.fixture(scope="module")
def fitted(case, table):
    """Return a fitted estimator, which tests must not change."""
    return case.density().fit(table)


@pytest.fixture
def density(case):
    """Return an unfitted estimator."""
    return case.density()
