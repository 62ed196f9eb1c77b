"""What is learned of one column by itself: kind, place, atoms, codes, ends."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmade._table.column import (
    MAX_ATOMS,
    MAX_CODES,
    MIN_SCALE,
    Column,
    learn_column,
    location_and_spread,
)
from skmade._table.grid import NO_GRID, Grid

EPS = np.finfo(np.float64).eps


def learned(values, weight=None, kind="auto", **options):
    """Learn a column of rows that count one each, or as their weights say."""
    values = np.asarray(values, dtype=float)
    weight = np.ones(len(values)) if weight is None else np.asarray(weight, dtype=float)
    return learn_column(values, weight, kind, **options)


def test_location_and_spread_are_held_against_far_outliers():
    values, weight = np.random.RandomState(0).normal(3, 2, size=2000), np.ones(2000)
    assert_allclose(location_and_spread(values, weight), [3, 2], atol=0.1)
    dirty = np.r_[values, 1e9]
    assert_allclose(location_and_spread(dirty, np.ones(2001)), [3, 2], atol=0.15)
    uniform = np.linspace(0, 1, 2001)
    assert_allclose(location_and_spread(uniform, np.ones(2001)), [0.5, 12**-0.5], rtol=0.06)
    assert location_and_spread(np.full(5, 2.0), np.ones(5)) == (2.0, 0.0)


def test_a_long_column_of_one_value_is_constant():
    values, weight = np.full(3451, -0.0036), np.ones(3451)
    assert location_and_spread(values, weight)[1] > 0  # their mean is a few ulps off
    column = learned(values)
    assert column.constant
    assert column.atoms == column.codes == ()
    assert column.low == column.high == -0.0036


@pytest.mark.parametrize("kind", ["auto", "continuous", "count"])
@pytest.mark.parametrize("value", [0.0, 7.0, -3.0])
def test_a_constant_column_ends_at_its_value(kind, value):
    column = learned([value] * 12, kind=kind)
    assert column.constant
    assert column.kind == ("count" if kind == "count" else "continuous")
    assert (column.low, column.high, column.margin) == (value, value, 0.0)
    assert np.ldexp(column.center, column.exponent) == value


def test_labels_have_nothing_to_learn():
    for kind in ("binary", "categorical"):
        assert learned([0, 1, 1], kind=kind) == Column(kind)


def values_of(n_rows=500, seed=0):
    """Return columns of many kinds."""
    rng = np.random.RandomState(seed)
    return {
        "gaussian": rng.normal(size=n_rows),
        "one decimal": rng.normal(10, 2, n_rows).round(1),
        "counts": rng.poisson(4, n_rows).astype(float),
        "wide counts": rng.poisson(400, n_rows).astype(float),
        "signed": np.rint(rng.normal(0, 3, n_rows)),
        "codes": rng.choice([1.0, 2.0, 4.0, 9.0], n_rows, p=[0.4, 0.3, 0.2, 0.1]),
        "zeros": np.where(rng.random_sample(n_rows) < 0.6, 0, rng.gamma(2, 9, n_rows)),
        "zeros of counts": np.where(
            rng.random_sample(n_rows) < 0.6, 0, rng.poisson(20, n_rows)
        ),
        "capped": np.minimum(rng.gamma(2, 20, n_rows), 50.0),
        "round numbers": np.where(
            rng.random_sample(n_rows) < 0.3, 100.0, rng.normal(90, 30, n_rows).round(1)
        ),
    }


VALUES = values_of()


@pytest.mark.parametrize("seed", range(4))
def test_kinds_are_found(seed):
    kinds = {name: learned(values).kind for name, values in values_of(seed=seed).items()}
    counts = {"counts", "signed", "codes", "zeros of counts"}
    assert {name for name, kind in kinds.items() if kind == "count"} == counts
    assert set(kinds.values()) == {"count", "continuous"}


def test_whole_numbers_are_counts_where_their_distance_tells():
    steps = np.r_[np.arange(1000.0), 0, 0, 1]
    for spread, kind in ((9.0, "count"), (11.0, "continuous")):
        column = np.rint(np.random.RandomState(0).normal(0, spread, size=5000))
        assert learned(column).kind == kind
        assert learned(column, kind="count").kind == "count"
        assert learned(column, kind="continuous").kind == "continuous"
    assert learned(steps).kind == "continuous"
    # Large numbers that happen to be whole, and one that is not.
    large = 2.0**45 + np.random.RandomState(0).randint(0, 9, size=300)
    assert learned(large).kind == "continuous"
    assert learned(np.append(VALUES["counts"], 2.5)).kind == "continuous"


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("noise", ["ulps", "single precision", "inches and back"])
def test_rounding_noise_is_no_information(name, noise):
    values = VALUES[name]
    if noise == "ulps":
        noisy = values * (1 + np.random.RandomState(1).randint(-8, 9, size=len(values)) * EPS)
    elif noise == "single precision":
        noisy = values.astype(np.float32).astype(float)
    else:
        noisy = values / 2.54 * 2.54
    expected, column = asdict(learned(values)), asdict(learned(noisy))
    for field, value in expected.items():
        assert_allclose(column[field], value, rtol=1e-4, atol=1e-6) if field not in (
            "kind",
            "constant",
            "grid",
            "exponent",
        ) else None
    for field in ("kind", "constant", "grid"):
        assert column[field] == expected[field]


@pytest.mark.parametrize("name", VALUES)
def test_the_order_of_rows_is_no_information(name):
    rng = np.random.RandomState(1)
    order, weight = rng.permutation(500), rng.randint(1, 4, size=500)
    values = VALUES[name]
    expected = asdict(learned(values, weight))
    for field, value in asdict(learned(values[order], weight[order])).items():
        if field in ("center", "spread", "floor", "margin"):
            assert_allclose(value, expected[field], rtol=1e-12)
        else:
            assert value == expected[field]


@pytest.mark.parametrize("name", VALUES)
def test_integer_weights_are_repeated_rows(name):
    weight, values = np.random.RandomState(1).randint(1, 4, size=500), VALUES[name]
    expected = asdict(learned(np.repeat(values, weight)))
    for field, value in asdict(learned(values, weight)).items():
        if field in ("center", "spread", "floor", "margin"):
            assert_allclose(value, expected[field], rtol=1e-12)
        else:
            assert value == expected[field]


def with_a_millionth(name, odd):
    """Learn a column, and one that a millionth of another row is added to."""
    # So many rows that no quantile lies between two of them.
    values = VALUES[name][:487]
    expected = learned(values)
    # That it is no whole number is a fact, however little it weighs.
    odd = np.rint(odd) if expected.kind == "count" else odd
    return expected, learned(np.append(values, odd), np.append(np.ones(487), 1e-6))


@pytest.mark.parametrize("odd", [0.123456789, 55.5])
@pytest.mark.parametrize("name", VALUES)
def test_a_millionth_of_a_row_is_next_to_nothing(name, odd):
    expected, column = with_a_millionth(name, odd)
    known, found = (
        np.ldexp([c.spread, c.center, c.floor * c.spread], c.exponent)
        for c in (expected, column)
    )
    # Whether a column has outliers may turn on next to nothing, but then it hardly matters.
    assert_allclose(found / known[0], known / known[0], atol=0.03)
    assert (column.kind, column.grid) == (expected.kind, expected.grid)


@pytest.mark.parametrize("odd", [0.123456789, 55.5])
@pytest.mark.parametrize("name", VALUES)
def test_a_millionth_of_a_row_makes_no_atoms_or_codes(name, odd):
    expected, column = with_a_millionth(name, odd)
    assert column.atoms == expected.atoms
    # At most the value itself, which a row of fit has.
    assert set(expected.codes) <= set(column.codes) <= {*expected.codes, np.rint(odd)}


def test_a_gap_of_one_cell_does_not_change_the_resolution():
    for values in (VALUES["one decimal"], VALUES["gaussian"]):
        before = learned(values)
        for near in (8e-15, 1e-9, 1e-7):
            after = learned(np.append(values, values[7] + near))
            assert_allclose(after.floor, before.floor, rtol=0.02)
            assert after.atoms == before.atoms
            assert after.grid == before.grid


def test_the_floor_is_the_rounding_error_of_the_column():
    column = learned(VALUES["one decimal"])
    assert column.grid == Grid(1, 1, 0)
    scale = column.spread * 2.0**column.exponent
    assert_allclose(column.floor * scale, 0.1 / np.sqrt(12))
    assert learned(VALUES["gaussian"]).floor == MIN_SCALE
    assert learned(VALUES["gaussian"], min_scale=0.2).floor == 0.2
    assert_allclose(learned(VALUES["counts"]).floor * VALUES["counts"].std(), 0.1, rtol=0.1)


def test_a_least_scale_leaves_no_counts_but_declared_ones():
    assert learned(VALUES["counts"]).kind == "count"
    assert learned(VALUES["counts"], min_scale=0.1).kind == "continuous"
    assert learned(VALUES["counts"], kind="count", min_scale=0.1).kind == "count"


def test_a_least_scale_leaves_no_atoms():
    for name in ("zeros", "capped", "round numbers"):
        column = learned(VALUES[name], min_scale=1e-6)
        assert column.atoms == ()
        assert (column.low, column.high) == (-np.inf, np.inf)


@pytest.mark.parametrize("seed", range(4))
def test_atoms_are_found(seed):
    values = values_of(seed=seed)
    atoms = {name: learned(column).atoms for name, column in values.items()}
    assert atoms["zeros"] == (0.0,)
    assert atoms["capped"] == (50.0,)
    assert atoms["round numbers"] == (100.0,)
    assert 0.0 in atoms["zeros of counts"]
    for name in ("gaussian", "one decimal", "wide counts"):
        assert atoms[name] == ()


@pytest.mark.parametrize("seed", range(10))
def test_smooth_columns_have_hardly_any_atoms(seed):
    rng = np.random.RandomState(seed)
    for n_rows in (50, 1000):
        for values in (
            rng.normal(size=n_rows),
            rng.lognormal(3, 1, n_rows),
        ):
            assert learned(values).atoms == ()
        # By chance one of hundreds of values may stand out.
        for values in (
            rng.uniform(size=n_rows).round(2),
            rng.lognormal(3, 1, n_rows).round(1),
        ):
            assert np.isin(values, learned(values).atoms).mean() < 0.04


def test_few_values_are_all_atoms_and_many_are_bounded():
    grades = learned([1, 2, 2, 3, 3, 3, 4] * 20, kind="count")
    assert grades.atoms == (1, 2, 3, 4)
    # All but those that few rows have.
    assert learned([1.5] * 50 + [2.25] * 4 + [7.125] * 30).atoms == (1.5, 7.125)
    sparse = learned(np.repeat(np.arange(100) ** 3.0, 20), kind="count")
    assert len(sparse.atoms) == MAX_ATOMS


def test_atoms_beside_larger_ones_are_found():
    rows = np.where(np.arange(61) % 4 == 0, 100, np.where(np.arange(61) % 2 == 0, 40, 4))
    column = learned(np.repeat(np.arange(61) + 100.0, rows), kind="continuous")
    assert set(100.0 + np.arange(4, 57, 2)) <= set(column.atoms)
    assert not np.isin(100.0 + np.arange(1, 61, 2), column.atoms).any()


def test_all_codes_are_atoms():
    column = learned(np.repeat(np.arange(1.0, 12), 50))
    assert column.codes == column.atoms == tuple(np.arange(1.0, 12))


def test_whole_numbers_of_many_rows_are_codes():
    column = learned(VALUES["codes"])
    assert column.codes == (1, 2, 4, 9)
    assert (column.low, column.high) == (0, np.inf)
    codes = np.repeat(np.arange(MAX_CODES) ** 2.0, 10)
    assert learned(codes, kind="count").codes == tuple(np.arange(MAX_CODES) ** 2.0)
    too_many = np.repeat(np.arange(MAX_CODES + 1) ** 2.0, 10)
    too_few_rows = codes[1:]
    in_one_row_alone = np.append(codes[codes < 900], 900.0)
    for others in (too_many, too_few_rows, in_one_row_alone):
        column = learned(others, kind="count")
        assert column.codes == ()
        assert column.low == 0
    assert learned(np.repeat([1.5, 2.5, 4.0], 30)).codes == ()


def test_counts_are_negative_only_where_they_were():
    counts = VALUES["zeros of counts"]
    for values in (counts, counts + 50, counts - 60):
        column = learned(values, kind="count")
        assert (column.codes, column.margin) == ((), 0.5)
        # They begin with an atom.
        assert column.low == values.min()
    smooth = np.rint(np.random.RandomState(0).normal(0, 20, 500))
    for values, low in ((smooth, -np.inf), (smooth + 500, 0)):
        column = learned(values, kind="count")
        assert (column.low, column.high) == (low, np.inf)


def test_columns_end_where_they_begin_with_an_atom():
    zeros, capped = learned(VALUES["zeros"]), learned(VALUES["capped"])
    assert (zeros.low, zeros.high) == (0, np.inf)
    assert (capped.low, capped.high) == (-np.inf, 50)
    assert 0 < zeros.margin < 0.1
    both = learned(np.clip(VALUES["gaussian"], -0.5, 0.5))
    assert (both.low, both.high) == (-0.5, 0.5)
    assert both.atoms == (-0.5, 0.5)
    # An atom inside is no end.
    inside = learned(VALUES["round numbers"])
    assert (inside.low, inside.high) == (-np.inf, np.inf)
    assert learned(VALUES["gaussian"]).low == -np.inf


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1e9, 1e300])
@pytest.mark.parametrize("name", ["gaussian", "zeros", "capped", "round numbers"])
def test_columns_of_any_magnitude_are_learned_alike(name, scale):
    # By a power of two, which is exact.
    exponent = int(np.round(np.log2(scale)))
    before = learned(VALUES[name], kind="continuous")
    after = learned(np.ldexp(VALUES[name], exponent), kind="continuous")
    ends = [float(np.ldexp(end, exponent)) for end in (before.low, before.high, before.margin)]
    same = replace(
        before,
        exponent=before.exponent + exponent,
        grid=after.grid,
        atoms=after.atoms,
        low=ends[0],
        high=ends[1],
        margin=ends[2],
    )
    assert after == same
    assert_allclose(after.atoms, np.ldexp(before.atoms, exponent), rtol=1e-15)


def test_timestamps_are_numbers_on_a_grid():
    rng = np.random.RandomState(0)
    seconds = np.rint(1.6e9 + rng.uniform(0, 3e7, 800))
    column = learned(seconds)
    assert (column.kind, column.grid, column.atoms) == ("continuous", Grid(0, 1, 0), ())
    days = 86400 * np.rint(rng.uniform(18500, 18900, 800))
    column = learned(days)
    assert column.kind == "continuous"
    assert column.grid == Grid(0, 86400, 0)
    assert_allclose(column.spread * 2.0**column.exponent, days.std(), rtol=0.2)


def test_values_far_from_zero_are_not_constant():
    column = learned(1e8 + VALUES["gaussian"])
    assert not column.constant
    assert column.grid == NO_GRID
    assert_allclose(column.spread * 2.0**column.exponent, 1, rtol=0.1)
    assert learned([1e8, 1e8 + 1e-8, 1e8]).constant


def test_a_value_is_an_atom_if_it_stands_for_enough_rows():
    values = VALUES["zeros"]
    for weight in (0.7, 1.0, 1.3):
        assert learned(values, np.full(500, weight)).atoms == (0.0,)
    # Zeros of less than five rows may be coincidence.
    assert learned(values, np.full(500, 0.01)).atoms == ()


@pytest.mark.parametrize(
    ("first", "step"), [(20260101, 1), (1.6e9, 60), (1e6, 0.01), (1e8, 1e-3)]
)
def test_a_few_near_values_of_a_large_column_are_not_one(first, step):
    # Dates as whole numbers, times of three minutes, cents of millions.
    values = (first + step * np.random.RandomState(0).randint(0, 3, size=300)).round(3)
    column = learned(values)
    assert not column.constant
    assert len(column.atoms) == 3
