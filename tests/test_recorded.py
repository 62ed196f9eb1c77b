"""What was recorded comes back: noise, order and weights of rows, atoms, codes, ends.

By whole fits; what is learned of single columns is tested with `_table`.
"""

import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris

from skmade import MADEOutlierDetector
from skmade._network.special import TAIL_WEIGHT
from skmade._table.encoding import Table
from tests.configurations import quick

IRIS = load_iris().data
RNG = np.random.RandomState(0)
AGE = RNG.gamma(1.5, 20, size=300)
AGED = pd.DataFrame({"age": AGE, "height": 150 + AGE / 3 + 10 * RNG.normal(size=300)})
EVEN = list(range(10, 30, 2))  # codes that are too many to be atoms
BOUNDS = {"age": (0, None)}
EXACTLY = ("kinds", "grids", "atoms", "codes", "ends", "absent", "constant")
NEARLY = ("center", "spread", "scale_floor", "edges", "missing", "unseen_mass")


def small(**parameters):
    """Return an estimator that fits all rows in a fraction of a second."""
    return quick(**{"early_stopping": False, "max_iter": 10, **parameters})


def learned(density):
    """Return what fit learned of the columns."""
    return Table.from_state(density._state["table"])


def assert_same_columns(table, expected, rtol=1e-6, atol=0.0):
    """Compare what was learned, of transforms where they move numbers near the rows to."""
    for name in EXACTLY:
        assert_array_equal(getattr(table, name), getattr(expected, name), err_msg=name)
    for name in NEARLY:
        one, other = getattr(table, name), getattr(expected, name)
        assert_allclose(one, other, rtol=rtol, atol=atol, err_msg=name)
    standardised = np.linspace(-2, 2, 41)[:, None] * np.ones(table.n_features)
    for one, other in zip(
        table.marginals.forward(standardised),
        expected.marginals.forward(standardised),
        strict=True,
    ):
        assert_allclose(one, other, rtol=10 * rtol, atol=10 * rtol)


def changed(row, column, change):
    """Return iris with one cell changed."""
    X = IRIS.copy()
    X[row, column] = change(X[row, column])
    return X


def half_in_single_precision():
    X = IRIS.copy()
    X[::2] = X[::2].astype(np.float32)
    return X


SIGNS = np.random.RandomState(0).randint(-8, 9, IRIS.shape)
REWRITTEN = {
    "one cell and its noise": lambda: changed(0, 0, lambda cell: cell * (1 + 8e-15)),
    "one cell of 5.1000001": lambda: changed(0, 0, lambda cell: cell + 1e-7),
    "half of the rows in single precision": half_in_single_precision,
    "in inches and back": lambda: IRIS / 2.54 * 2.54,
    "up to eight ulps more or less": lambda: IRIS + SIGNS * np.spacing(IRIS),
    "a factor of up to eight ulps": lambda: IRIS * (1 + SIGNS * np.finfo(float).eps),
    "permuted": lambda: IRIS[np.random.RandomState(0).permutation(150)],
}


@pytest.fixture(scope="module")
def of_iris():
    return small().fit(IRIS)


@pytest.fixture(scope="module")
def noise_of_the_seed(of_iris):
    """Return by how much scores of rows move from seed to seed, on average."""
    scores = of_iris.score_samples(IRIS)
    seeds = [small(random_state=seed).fit(IRIS).score_samples(IRIS) for seed in (1, 2)]
    return min(np.abs(other - scores).mean() for other in seeds)


@pytest.mark.parametrize("rewrite", REWRITTEN.values(), ids=REWRITTEN.keys())
def test_noise_and_order_of_rows_are_no_information(rewrite, of_iris, noise_of_the_seed):
    density = small().fit(rewrite())
    assert_same_columns(learned(density), learned(of_iris), rtol=3e-6)
    moved = density.score_samples(IRIS) - of_iris.score_samples(IRIS)
    assert np.abs(moved).mean() < noise_of_the_seed


def test_rows_of_a_millionth_leave_columns_as_they_are(of_iris):
    others = IRIS[:20] + np.random.RandomState(0).uniform(0, 0.1, (20, 4))
    weight = np.repeat([1.0, 1e-6], [150, 20])
    with_others = small().fit(np.concatenate([IRIS, others]), sample_weight=weight)
    assert_same_columns(learned(with_others), learned(of_iris), rtol=1e-3, atol=1e-3)


def rows_with_atoms(n_rows, seed=0):
    """Return rows of numbers with an atom, of codes, and of labels."""
    rng = np.random.RandomState(seed)
    money = np.where(rng.random_sample(n_rows) < 0.5, 0, np.exp(rng.normal(4, 1, n_rows)))
    return pd.DataFrame(
        {
            "money": np.round(money, 2),
            "code": rng.choice([4, 6, 8], size=n_rows),
            "count": rng.poisson(30, size=n_rows),
            "label": pd.Categorical(rng.choice(["a", "b"], n_rows), categories=list("abcd")),
        }
    )


def test_integer_weights_are_repeated_rows():
    X = rows_with_atoms(40)
    weight = np.random.RandomState(1).randint(1, 6, size=40)
    repeated = small(max_iter=1).fit(X.loc[X.index.repeat(weight)])
    for scale in (1, 0.25):
        weighted = small(max_iter=1).fit(X, sample_weight=scale * weight)
        assert_same_columns(learned(weighted), learned(repeated), rtol=1e-9, atol=1e-12)
    # What is learned depends on how many rows there are.
    few = learned(small(max_iter=1).fit(X))
    assert few.codes.shape != learned(repeated).codes.shape or few.unseen_mass[3] > 0.01


def assert_share(drawn, share):
    """Check a share of draws against the share of rows, by its binomial error."""
    error = np.sqrt(share * (1 - share) / len(drawn))
    assert abs(drawn.mean() - share) < 4 * error


@pytest.mark.parametrize(("power", "kind"), [(3.0, "count"), (1.1, "continuous")])
def test_zeros_of_a_heavy_tail_are_drawn(power, kind):
    rng = np.random.RandomState(0)
    tail = 1 + np.rint(3 * rng.pareto(power, 1500))
    claims = np.where(np.arange(1500) % 75 > 0, 0, tail).astype(int)
    table = pd.DataFrame({"claims": claims, "age": rng.normal(40, 10, 1500)})
    density = small(max_iter=2).fit(table)
    assert density.feature_types_[0] == kind
    drawn = density.sample(3000, random_state=0)["claims"]
    assert drawn.dtype == np.int64
    assert drawn.min() == 0 < drawn.max()
    assert_share(drawn == 0, (claims == 0).mean())


@pytest.mark.parametrize("bounds", [None, {"money": (0, None)}, {"money": (-5, None)}])
def test_money_is_drawn_as_it_was_recorded(bounds):
    rng = np.random.RandomState(0)
    money = np.where(rng.random_sample(800) < 0.71, 0, np.round(rng.lognormal(7, 1, 800), 2))
    table = pd.DataFrame({"money": money, "age": rng.normal(40, 10, 800)})
    density = small(max_iter=3, bounds=bounds).fit(table)
    drawn = density.sample(2000, random_state=0)["money"]
    assert_share(drawn == 0, (money == 0).mean())
    # Zeros end the column, unless the user knows better.
    low = 0 if bounds is None else bounds["money"][0]
    assert drawn.min() >= low
    assert_array_equal(drawn, drawn.round(2))
    assert (drawn % 1 != 0).any()
    missing = table.assign(money=np.nan)
    for strategy in ("sample", "mean"):
        filled = density.impute(missing, strategy=strategy, random_state=0)["money"]
        assert filled.min() >= low


@pytest.mark.parametrize("dtype", ["int64", "float64", "Int64"])
def test_codes_are_drawn_and_completed_by_codes(dtype):
    rng = np.random.RandomState(0)
    codes = {"two": [1, 2], "five": [1, 2, 3, 4, 5], "gaps": [4, 6, 8], "even": EVEN}
    table = pd.DataFrame({name: rng.choice(known, 200) for name, known in codes.items()})
    table = table.astype(dtype)
    holed = table.astype("Float64" if dtype == "Int64" else float)
    holed = holed.mask(rng.random_sample(holed.shape) < 0.3)
    density = small(max_iter=2).fit(table if dtype == "int64" else holed.astype(dtype))
    for rows in (density.sample(500, random_state=0), density.impute(holed, random_state=0)):
        for name, known in codes.items():
            assert rows[name].dtype == dtype
            assert set(rows[name]) == set(known)


def test_between_codes_there_is_the_tail_alone():
    codes = np.random.RandomState(0).choice(EVEN, size=(200, 1))
    density = small(max_iter=2).fit(codes)
    numbers = np.arange(-1000, 1000)
    chances = np.exp(density.score_samples(numbers[:, None]))
    known = np.isin(numbers, EVEN)
    assert_allclose(chances.sum(), 1, rtol=1e-5)
    assert 0 < chances[~known].sum() < TAIL_WEIGHT


def test_levels_that_no_row_has_share_half_a_row():
    levels = [f"level {number}" for number in range(62)]
    labels = np.random.RandomState(0).choice(levels[:2], size=100)
    table = pd.DataFrame({"label": pd.Categorical(labels, categories=levels)})
    density = small().fit(table)
    drawn = density.sample(5000, random_state=0)
    assert set(drawn["label"]) == set(levels[:2])
    every = pd.DataFrame({"label": pd.Categorical(levels, categories=levels)})
    chances = np.exp(density.score_samples(every))
    assert_allclose(chances.sum(), 1, rtol=1e-8)
    assert_allclose(chances[2:], 0.5 / 100.5 / 60, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:Constant in fit")
@pytest.mark.parametrize("order_agnostic", [False, True])
def test_other_values_of_a_constant_column_are_outliers(order_agnostic):
    rows = np.column_stack([np.full(80, 1013.0), IRIS[:80, :2]])
    detector = MADEOutlierDetector(small(order_agnostic=order_agnostic)).fit(rows)
    odd = np.tile(np.median(rows, axis=0), (5, 1))
    odd[:, 0] = 1013, 1014, 1100, 2000, 0
    assert detector.predict(odd).tolist() == [1, -1, -1, -1, -1]


@pytest.mark.filterwarnings("ignore:Constant in fit")
def test_a_detector_takes_numbers_beside_zero_and_one():
    rows = np.column_stack([np.zeros(60), IRIS[:60, 0], np.arange(60) % 2])
    detector = MADEOutlierDetector().fit(rows)
    batch = rows[:4].copy()
    batch[2, 0], batch[3, 2] = 5, 2
    scores = detector.score_samples(batch)
    assert detector.predict(batch)[2] == -1
    assert np.isfinite(scores).all()
    assert (scores[2:] < detector.score_samples(rows[2:4])).all()


def test_numbers_beside_zero_and_one_are_refused_or_have_half_a_row():
    rows = np.column_stack([IRIS[:99, 0], np.arange(99) % 2])
    odd = np.array([[5.0, 2.0], [5.0, 0.5], [5.0, 1.0]])
    strict = small().fit(rows)
    for call in (strict.score_samples, strict.score_features, strict.impute):
        with pytest.raises(ValueError, match=r"column 1 .*row 0 holds 2.*handle_unknown='smo"):
            call(odd)
    smoothed = small(handle_unknown="smoothed").fit(rows)
    alone = np.array([[np.nan, 2.0], [np.nan, 0.0], [np.nan, 1.0]])
    chances = np.exp(smoothed.score_samples(alone))
    assert_allclose(chances.sum(), 1, rtol=1e-6)
    assert_allclose(chances[0], 0.5 / 99.5, rtol=1e-6)
    assert np.isfinite(smoothed.score_samples(odd)).all()


@pytest.fixture(scope="module")
def bounded():
    return small(bounds=BOUNDS, max_iter=20).fit(AGED)


def test_draws_and_completions_keep_the_bounds(bounded):
    free = small(max_iter=20).fit(AGED).sample(2000, random_state=0)
    assert free["age"].min() < 0
    drawn = bounded.sample(2000, random_state=0)
    assert 0 <= drawn["age"].min() < 1
    assert drawn["height"].min() < AGED["height"].min()
    holed = AGED.assign(age=np.nan)
    for strategy in ("sample", "mean"):
        filled = bounded.impute(holed, strategy=strategy, random_state=0)
        assert filled["age"].min() >= 0
    given = bounded.sample(300, random_state=0, given={"height": 120.0})
    assert given["age"].min() >= 0
    with pytest.raises(ValueError, match="'age' is given as -1"):
        bounded.sample(2, given={"age": -1})


def dense_at_ends(low, high, n_points):
    """Points between two numbers, more of them the nearer to one of both."""
    inner = np.geomspace(1e-9, 1, n_points) * (high - low) / 2
    return np.concatenate([[low], low + inner, high - inner[-2::-1], [high]])


def test_all_of_the_density_is_within_the_bounds(bounded):
    ages = dense_at_ends(0, 1000, 400)
    heights = np.linspace(0, 400, 201)
    grid = np.stack(np.meshgrid(ages, heights, indexing="ij"), axis=-1).reshape(-1, 2)
    rows = pd.DataFrame(grid, columns=["age", "height"])
    joint = np.exp(bounded.score_samples(rows)).reshape(len(ages), len(heights))
    assert_allclose(np.trapezoid(np.trapezoid(joint, heights), ages), 1, atol=5e-3)
    outside = AGED.head(3).assign(age=[-0.1, -5.0, -1e6])
    assert (bounded.score_samples(outside) < bounded.score_samples(AGED).min() - 10).all()


@pytest.mark.parametrize(
    ("column", "bounds"),
    [
        (AGE, (0, None)),
        (AGE, (None, 250)),
        (AGE, (0, 250.0)),
        (200 * (np.arange(300) + 0.5) / 300, (0, 200)),
    ],
)
def test_a_bounded_column_integrates_to_one(column, bounds):
    low, high = bounds
    ends = -1000 if low is None else low, 1000 if high is None else high
    density = small(bounds={0: bounds}, max_iter=3).fit(column[:, None])
    grid = np.union1d(dense_at_ends(*ends, 10_000), np.linspace(*ends, 20_001))
    inside = np.trapezoid(np.exp(density.score_samples(grid[:, None])), grid)
    assert_allclose(inside, 1, atol=2e-3)
    drawn = density.sample(2000, random_state=0)
    assert ends[0] <= drawn.min()
    assert drawn.max() <= ends[1]


def test_atoms_nearer_than_they_are_wide_keep_their_shares():
    rng, fares = np.random.RandomState(0), [7.75, 7.775, 7.8958, 8.05]
    shares, others = [0.12, 0.03, 0.2, 0.08], np.exp(rng.normal(4, 1, 800)).round(4)
    chosen = rng.choice(5, 800, p=[*shares, 1 - sum(shares)])
    fare = np.where(chosen < 4, np.array([*fares, 0])[chosen], others)
    drawn = small(max_iter=40).fit(fare[:, None]).sample(4000, random_state=0)[:, 0]
    for value in fares:
        share = (fare == value).mean()
        error = np.sqrt(share * (1 - share) / 4000)
        assert abs((drawn == value).mean() - share) < 4 * error + 0.01


def test_few_amounts_beside_many_zeros_keep_their_decimals():
    rng = np.random.RandomState(0)
    amounts = np.exp(rng.normal(5, 1, 1000)).round(2)
    density = small(max_iter=2).fit(np.where(rng.rand(1000) < 0.97, 0, amounts)[:, None])
    drawn = density.sample(5000, random_state=0)[:, 0]
    assert_array_equal(drawn, drawn.round(2))
    assert (drawn % 1 > 0).sum() > 0.9 * (drawn > 0).sum()


def test_a_column_that_ends_at_an_atom_integrates_to_one():
    scale = np.minimum(np.random.RandomState(0).normal(80, 20, 800).round(1), 100)
    density = small(max_iter=2).fit(scale[:, None])
    grid = np.union1d(np.linspace(-100, 99, 20_001), np.linspace(99, 100.05, 20_001))
    inside = np.trapezoid(np.exp(density.score_samples(grid[:, None])), grid)
    assert_allclose(inside, 1, atol=2e-3)
    assert density.score_samples([[100.2]])[0] < density.score_samples([[99.8]])[0] - 15
    assert density.sample(2000, random_state=0).max() == 100


def test_a_column_ends_at_its_atom_within_wider_bounds():
    scale = np.minimum(np.random.RandomState(0).normal(80, 20, 800).round(1), 100)
    density = small(max_iter=2, bounds={0: (None, 120)}).fit(scale[:, None])
    assert density.sample(2000, random_state=0).max() == 100


@pytest.mark.parametrize("bounds", [(0, None), (None, 100), (0, 100)])
def test_bounds_far_from_all_rows_change_little(bounds):
    rows = np.random.RandomState(0).normal(13, 0.8, size=(200, 1))
    plain, bounded = small().fit(rows), small(bounds={0: bounds}).fit(rows)
    assert abs(bounded.score(rows) - plain.score(rows)) < 0.05 * len(rows)


def test_bounds_follow_the_units(bounded):
    twin = clone(bounded).set_params(bounds={"age": (0, None), "height": (0, 600)})
    scores = twin.fit(AGED).score_samples(AGED)
    scaled = twin.set_params(bounds={"age": (0, None), "height": (0, 1500)})
    moved = AGED * 2.5
    expected = scores - 2 * np.log(2.5)
    assert_allclose(scaled.fit(moved).score_samples(moved), expected, atol=1e-3)


def test_bounds_of_counts_are_whole_numbers():
    table = pd.DataFrame({"n": RNG.poisson(3, size=200) + 1, "x": RNG.normal(size=200)})
    table["n"] = table["n"].clip(upper=10)
    density = small(bounds={"n": (0.5, 10)}, feature_types={"n": "count"}).fit(table)
    numbers = pd.DataFrame({"n": np.arange(1, 11), "x": np.nan})
    assert_allclose(np.exp(density.score_samples(numbers)).sum(), 1, rtol=1e-5)
    drawn = density.sample(2000, random_state=0)["n"]
    assert drawn.min() >= 1
    assert drawn.max() <= 10


@pytest.mark.parametrize(
    ("bounds", "problem"),
    [
        ({"weight": (0, 1)}, "bounds names 'weight', which is no column"),
        ({"label": (0, 1)}, "column 'label' has bounds, but is categorical"),
        ({"truth": (0, 1)}, "column 'truth' has bounds, but is binary"),
        ({"age": (5, 5)}, r"bounds of column 'age' must be \(low, high\) with low < high"),
        ({"age": (5, 1)}, "bounds of column 'age'.*got .5, 1."),
        ({"age": 5}, "bounds of column 'age'.*got 5"),
        ({"age": (0, 1, 2)}, "bounds of column 'age'"),
        ({"age": ("low", None)}, "bounds of column 'age'"),
        ({"age": (np.nan, None)}, "bounds of column 'age'"),
        ({"age": (0, 41)}, "column 'age' holds 42 in row 7, outside of its bounds"),
        ([(0, 1)], "'bounds' parameter .* must be"),
    ],
)
def test_bounds_that_are_none_are_refused(bounds, problem):
    table = pd.DataFrame(
        {
            "age": np.where(np.arange(30) == 7, 42.0, np.linspace(1, 40, 30)),
            "label": list("abc") * 10,
            "truth": [True, False] * 15,
        }
    )
    with pytest.raises(ValueError, match=problem):
        small(bounds=bounds).fit(table)


def through_skops(density):
    return skops.io.loads(skops.io.dumps(density), trusted=["skmade._density.MADEDensity"])


@pytest.mark.parametrize("save", [lambda d: pickle.loads(pickle.dumps(d)), through_skops])
def test_bounds_are_kept_and_held_to(bounded, save):
    assert clone(bounded).bounds == BOUNDS
    again = save(bounded)
    assert again.bounds == BOUNDS
    outside = AGED.head(5).assign(age=[-1.0, 0.0, 1.0, np.nan, 30.0])
    assert_array_equal(again.score_samples(outside), bounded.score_samples(outside))
    pd.testing.assert_frame_equal(
        again.sample(9, random_state=0), bounded.sample(9, random_state=0)
    )
    with pytest.raises(ValueError, match="bounds"):
        again.set_params(bounds=None).partial_fit(AGED)
