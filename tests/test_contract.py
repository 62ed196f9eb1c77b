"""What a density estimator owes its users, for every way of training."""

import copy
import io
import pickle
import random
import threading
import warnings

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator

from skmade import MADEDensity
from skmade.datasets import CorrelatedGaussian

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

QUICK = {"hidden_layer_sizes": (16, 16), "n_components": 3, "max_iter": 3}
CONFIGURATIONS = {
    "default": {},
    "one member": {"n_estimators": 1},
    "order-agnostic": {"order_agnostic": True, "n_estimators": 2, "n_masks": 3},
    "order- and connectivity-agnostic": {
        "order_agnostic": True,
        "connectivity_agnostic": True,
        "n_estimators": 2,
        "n_masks": 3,
    },
    "Gaussian conditionals": {"n_components": 1, "n_estimators": 2},
    "plain MADE": {
        "n_estimators": 1,
        "residual": False,
        "direct_connections": False,
        "early_stopping": False,
        "ordering": "natural",
    },
}


@pytest.fixture(params=CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
def density(request):
    """Return an unfitted estimator, quick to fit."""
    return MADEDensity(random_state=0).set_params(**{**QUICK, **request.param})


@pytest.fixture(scope="module")
def X():
    """Return three continuous columns and a binary one."""
    continuous = CorrelatedGaussian(3).sample(120, random_state=0) * [1.0, 50.0, 0.01]
    return np.column_stack([continuous, continuous[:, 0] > 0])


@pytest.fixture(scope="module")
def fitted(X):
    """Return a fitted estimator that tests must not change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MADEDensity(random_state=0, n_estimators=2, **QUICK).fit(X)


def test_check_estimator(density):
    density.set_params(hidden_layer_sizes=(8, 8), max_iter=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checks = check_estimator(density, on_skip=None)
        for name in (
            "check_dataframe_column_names_consistency",
            "check_param_validation",
            "check_inplace_ensure_writeable",
        ):
            getattr(estimator_checks, name)("MADEDensity", density)
    assert not [check for check in checks if check["status"] == "failed"]


@pytest.mark.slow
@pytest.mark.parametrize("parameters", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
def test_check_estimator_with_other_defaults_untouched(parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checks = check_estimator(MADEDensity(**parameters), on_skip=None)
    assert not [check for check in checks if check["status"] == "failed"]


@pytest.mark.parametrize("n_samples", [1, 2, 3, 50])
def test_one_column_and_few_rows(density, n_samples):
    X = np.random.RandomState(0).normal(size=(n_samples, 1))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Constant in fit")
        density.fit(X)
    assert np.isfinite(density.score_samples(X)).all()
    assert density.sample(3, random_state=0).shape == (3, 1)


def test_scores_are_finite_doubles_one_per_row(density, X):
    scores = density.fit(X).score_samples(X)
    assert scores.dtype == np.float64
    assert scores.shape == (len(X),)
    assert np.isfinite(scores).all()
    assert_allclose(density.score(X), scores.sum())
    weight = np.arange(len(X), dtype=float)
    assert_allclose(density.score(X, sample_weight=weight), scores @ weight)


def test_same_seed_same_fit_and_another_seed_another(density, X):
    first, again = (clone(density).fit(X).score_samples(X) for _ in range(2))
    other = clone(density).set_params(random_state=1).fit(X).score_samples(X)
    assert_array_equal(first, again)
    assert (first != other).any()


def test_fit_forgets_the_fit_before(density, X):
    fresh = clone(density).fit(X).score_samples(X)
    density.fit(X[:60, :2]).fit(X)
    assert_array_equal(density.score_samples(X), fresh)
    assert density.n_features_in_ == 4
    assert density.feature_types_.tolist() == ["continuous"] * 3 + ["binary"]


def test_affine_law(density, X):
    factors, shifts = np.array([4.0, 0.5, 1024.0, 1.0]), np.array([3.0, -70.0, 2.0, 0.0])
    moved = X * factors + shifts
    first, second = clone(density).fit(X), clone(density).fit(moved)
    expected = first.score_samples(X) - np.log(factors).sum()
    assert_allclose(second.score_samples(moved), expected, atol=1e-3)


def test_samples_are_drawn_from_the_seed(density, X):
    density.fit(X)
    drawn = density.sample(50, random_state=0)
    assert drawn.shape == (50, 4)
    assert drawn.dtype == np.float64
    assert set(np.unique(drawn[:, 3])) <= {0.0, 1.0}
    assert_array_equal(drawn, density.sample(50, random_state=0))
    assert (drawn != density.sample(50, random_state=1)).any()
    assert (density.sample(5) != density.sample(5)).any()
    assert density.sample().shape == (1, 4)


def test_moments_of_drawn_rows():
    gaussian = CorrelatedGaussian(4)
    density = MADEDensity(n_estimators=2, hidden_layer_sizes=(32,), max_iter=15, random_state=0)
    density.fit(gaussian.sample(3000, random_state=0))
    drawn = density.sample(20_000, random_state=0)
    assert_allclose(drawn.mean(axis=0), 0, atol=0.08)
    assert_allclose(np.cov(drawn.T), gaussian.covariance, atol=0.1)


@pytest.mark.parametrize("n_samples", [0, -1, 2.5, "3", None])
def test_wrong_number_of_samples(fitted, n_samples):
    with pytest.raises((ValueError, TypeError), match="n_samples"):
        fitted.sample(n_samples)


SAVERS = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "cloudpickle": lambda model: pickle.loads(cloudpickle.dumps(model)),
    "deepcopy": copy.deepcopy,
    "joblib": lambda model: joblib_round_trip(model),
    "skops": lambda model: skops.io.loads(
        skops.io.dumps(model), trusted=["skmade._density.MADEDensity"]
    ),
}


def joblib_round_trip(model):
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


@pytest.mark.parametrize("save", SAVERS.values(), ids=SAVERS.keys())
def test_saved_models_score_and_draw_bit_for_bit(density, X, save):
    density.fit(X)
    loaded = save(density)
    assert_array_equal(loaded.score_samples(X), density.score_samples(X))
    assert_array_equal(loaded.sample(9, random_state=0), density.sample(9, random_state=0))
    assert loaded.history_ == density.history_


def test_memory_mapped_model(fitted, X, tmp_path):
    joblib.dump(fitted, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model", mmap_mode="r")
    assert_array_equal(loaded.score_samples(X), fitted.score_samples(X))


def test_skops_needs_one_trusted_name(density, X):
    untrusted = skops.io.get_untrusted_types(data=skops.io.dumps(density.fit(X)))
    assert untrusted == ["skmade._density.MADEDensity"]


def test_state_is_arrays_and_plain_scalars(density, X):
    plain = (np.ndarray, np.generic, str, int, float, bool, type(None))

    def walk(value):
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, (list, tuple)):
            for item in value:
                walk(item)
        else:
            assert isinstance(value, plain), type(value)

    walk(vars(density.fit(X)))


KINDS = {
    "float32": lambda X: X.astype(np.float32),
    "object": lambda X: X.astype(object),
    "Fortran": np.asfortranarray,
    "list": lambda X: X.tolist(),
    "DataFrame": pd.DataFrame,
    "nullable": lambda X: pd.DataFrame(X).astype("Float64"),
}


@pytest.mark.parametrize("convert", KINDS.values(), ids=KINDS.keys())
def test_any_container_gives_the_same_answer(X, convert):
    X = X.astype(np.float32).astype(float)
    density = MADEDensity(random_state=0, n_estimators=1, **QUICK)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*feature names")
        expected = clone(density).fit(X).score_samples(X)
        other = density.fit(convert(X)).score_samples(convert(X))
    assert_allclose(other, expected, rtol=1e-12)


def test_integers_are_not_rounded_into_their_type(X):
    table = np.round(X[:, :2] * [10, 1]).astype(int)
    density = MADEDensity(random_state=0, n_estimators=1, **QUICK).fit(table)
    assert density.score_samples(table).dtype == np.float64
    assert (density.sample(5, random_state=0) % 1 != 0).any()


def test_callers_arrays_are_never_written(density, X):
    table, weight = X.copy(), np.ones(len(X))
    for array in (table, weight):
        array.flags.writeable = False
    density.fit(table, sample_weight=weight, X_val=table)
    density.partial_fit(table)
    density.score_samples(table)
    assert_array_equal(table, X)


@pytest.fixture
def bad_tables(X):
    """Return tables that are no good, with what the error must say."""
    with_inf = X.copy()
    with_inf[3, 1] = np.inf
    text = X.astype(object)
    text[2, 1] = "many"
    return [
        (with_inf, "infinity in column 1"),
        (text, "column 1 of X is not numeric"),
        (X + 1j, "[Cc]omplex"),
        (X[:, 0], "1D array"),
        (X[None], "dim 3"),
        (3.0, "scalar|0D|array"),
        (None, "None|NoneType|Expected 2D"),
        (X[:0], "0 sample|minimum of 1"),
        (X[:, :0], "0 feature|minimum of 1"),
        (sparse.csr_array(X), "[Ss]parse"),
        ("table", "2D array|scalar|could not convert|Expected"),
    ]


def test_bad_tables_are_refused_in_fit_and_leave_no_trace(bad_tables):
    for table, message in bad_tables:
        density = MADEDensity(**QUICK)
        with pytest.raises((ValueError, TypeError), match=message):
            density.fit(table)
        assert vars(density) == vars(MADEDensity(**QUICK))
        with pytest.raises(NotFittedError):
            density.score_samples(np.ones((1, 4)))


def test_a_column_without_any_cell_is_refused_in_fit(X):
    X = X.copy()
    X[:, 2] = np.nan
    with pytest.raises(ValueError, match="contains NaN in every row of column 2"):
        MADEDensity(**QUICK).fit(X)


def test_masked_cells_are_missing(fitted, X):
    with_nan, masked = X.copy(), np.ma.masked_array(X, mask=np.zeros_like(X, dtype=bool))
    with_nan[0, 1], masked[0, 1] = np.nan, np.ma.masked
    assert_array_equal(fitted.score_samples(masked), fitted.score_samples(with_nan))


def test_bad_tables_are_refused_in_scoring(bad_tables, fitted, X):
    for table, message in bad_tables:
        with pytest.raises((ValueError, TypeError), match=message):
            fitted.score_samples(table)
    with pytest.raises(ValueError, match="3 features, but MADEDensity is expecting 4"):
        fitted.score_samples(X[:, :3])
    with pytest.raises(ValueError, match=r"column 3 is binary.*row 0 holds 0.5"):
        fitted.score_samples([[0.0, 0.0, 0.0, 0.5]])


def test_column_names_are_held_to(X):
    table = pd.DataFrame(X, columns=list("abcd"))
    density = MADEDensity(random_state=0, n_estimators=1, **QUICK).fit(table)
    assert density.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        density.score_samples(table[list("bacd")])
    with pytest.raises(ValueError, match="infinity in column 'b'"):
        density.fit(table.assign(b=np.inf))
    with pytest.raises(TypeError, match="column 'b' of X is not numeric"):
        density.score_samples(table.assign(b="many"))
    assert not hasattr(density.fit(X), "feature_names_in_")


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(3), "shape"),
        (-np.ones(120), "[Nn]egative"),
        (np.full(120, np.nan), "NaN"),
        (np.nan, "NaN"),
        (np.zeros(120), "zero"),
    ],
)
def test_wrong_weights_are_refused(X, weight, message):
    with pytest.raises(ValueError, match=message):
        MADEDensity(**QUICK).fit(X, sample_weight=weight)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("hidden_layer_sizes", ()),
        ("hidden_layer_sizes", (0,)),
        ("hidden_layer_sizes", (2.5,)),
        ("ordering", [0, 1]),
        ("ordering", "reverse"),
        ("feature_types", ["binary"]),
        ("feature_types", "text"),
        ("activation", "relu6"),
        ("n_estimators", 0),
        ("dropout", 1.0),
        ("device", "cuda:99"),
        ("device", "nonsense"),
        ("n_masks", 0),
        ("batch_size", "all"),
    ],
)
def test_wrong_parameters_are_refused_by_name(X, parameter, value):
    with pytest.raises(ValueError, match=parameter):
        MADEDensity(**{**QUICK, parameter: value}).fit(X)


def test_a_failed_refit_keeps_the_old_model(fitted, X):
    density = copy.deepcopy(fitted)
    expected = density.score_samples(X)
    with pytest.raises(ValueError, match="infinity"):
        density.fit(np.full((5, 2), np.inf))
    assert_array_equal(density.score_samples(X), expected)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_fit_keeps_the_old_model(fitted, X, monkeypatch, interruption):
    def interrupt(self):
        raise interruption

    density = copy.deepcopy(fitted)
    state = copy.deepcopy(vars(density))
    monkeypatch.setattr("skmade._training._Stack._update_average", interrupt)
    with pytest.raises(interruption):
        density.fit(X[:, :2])
    assert vars(density).keys() == state.keys()
    monkeypatch.undo()
    assert_array_equal(density.score_samples(X), fitted.score_samples(X))


def global_state():
    return (
        random.getstate(),
        pickle.dumps(np.random.mtrand._rand.get_state()),
        torch.random.get_rng_state().numpy().tobytes(),
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        np.geterr(),
        list(warnings.filters),
    )


@pytest.mark.parametrize("seed", [0, None])
def test_global_state_is_untouched(X, seed):
    before = global_state()
    density = MADEDensity(n_estimators=2, random_state=seed, **QUICK).fit(X)
    density.partial_fit(X).score_samples(X)
    density.sample(3, random_state=seed)
    with pytest.raises(ValueError, match="infinity"):
        density.fit(np.full((3, 2), np.inf))
    assert global_state() == before


def test_threads_get_the_serial_answer(fitted, X):
    expected, expected_rows = fitted.score_samples(X), fitted.sample(20, random_state=0)
    wrong = []

    def work():
        for _ in range(5):
            same = np.array_equal(fitted.score_samples(X), expected)
            drawn = fitted.sample(20, random_state=0)
            if not same or not np.array_equal(drawn, expected_rows):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_far_rows_score_lower_and_finite(density, X):
    density.fit(X[:, :3])
    center = X[:, :3].mean(axis=0)
    rays = center + np.array([0, 1e2, 1e4, 1e8, 1e100, 1e300])[:, None] * X[:, :3].std(axis=0)
    scores = density.score_samples(np.clip(rays, -1e300, 1e300))
    assert np.isfinite(scores).all()
    assert (np.diff(scores) < 0).all()
