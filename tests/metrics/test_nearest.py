"""Whether drawn rows are nearer to those of training."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skmade.metrics import _nearest, nearer_share

from .conftest import as_array, in_other_types, mixed_rows


def naive_distance(one, other, ranges):
    """Return the distance of two rows, cell by cell."""
    distance = 0.0
    for name, a in one.items():
        b = other[name]
        if pd.isna(a) or pd.isna(b):
            distance += pd.isna(a) != pd.isna(b)
        elif name in ranges:
            distance += abs(a - b) / ranges[name]
        else:
            distance += a != b
    return distance


def naive_share(drawn, train, holdout):
    """Return the share by loops."""
    real = pd.concat([train, holdout])
    ranges = {name: real[name].max() - real[name].min() for name in ("size", "n", "day")}
    rows = [table.to_dict("records") for table in (drawn, train, holdout)]
    shares = []
    for row in rows[0]:
        near, far = (min(naive_distance(row, r, ranges) for r in own) for own in rows[1:])
        shares.append(0.5 if abs(near - far) < 1e-12 else float(near < far))
    return np.mean(shares)


def test_it_is_what_loops_find(monkeypatch):
    drawn, train, holdout = (mixed_rows(n, seed) for seed, n in enumerate((40, 30, 30)))
    expected = naive_share(drawn, train, holdout)
    assert expected not in (0, 0.5, 1)
    assert nearer_share(drawn, train, holdout) == pytest.approx(expected, abs=1e-12)
    monkeypatch.setattr(_nearest, "CHUNK", 70)  # two drawn rows at a time
    assert nearer_share(drawn, train, holdout) == pytest.approx(expected, abs=1e-12)


def test_copies_of_either_table():
    train, holdout = np.random.RandomState(0).normal(size=(2, 100, 3))
    assert nearer_share(train, train, holdout) == 1
    assert nearer_share(holdout, train, holdout) == 0
    both = np.concatenate([train, holdout])
    assert nearer_share(both, train, holdout) == 0.5


def test_ties_count_one_half(real):
    assert nearer_share(real, real, real) == 0.5
    assert nearer_share([[0.2]], [[0.1], [1.1]], [[0.3], [1.1]]) == 0.5  # but for rounding


@pytest.mark.parametrize(("number", "share"), [(0.4, 1), (0.5, 0.5), (0.6, 0)])
def test_labels_differ_by_one(number, share):
    # Two numbers that differ by a half of their range are as far as one label.
    far = (1.0, 1.0, "c")
    names = ["one", "two", "label"]
    train = pd.DataFrame([(number, number, "a"), far], columns=names)
    holdout = pd.DataFrame([(0.0, 0.0, "b"), far], columns=names)
    drawn = pd.DataFrame([(0.0, 0.0, "a")], columns=names)
    assert nearer_share(drawn, train, holdout) == share
    assert nearer_share(drawn.assign(label="new"), train, holdout) == 0


def test_missing_cells_are_near_each_other():
    train = pd.DataFrame({"number": [np.nan, 5.0], "label": ["a", "b"]})
    holdout = pd.DataFrame({"number": [0.0, 5.0], "label": ["a", "b"]})
    drawn = pd.DataFrame({"number": [np.nan], "label": ["a"]})
    assert nearer_share(drawn, train, holdout) == 1
    assert nearer_share(drawn.assign(number=1.0), train, holdout) == 0  # 1/5 beside 1


@pytest.mark.parametrize("which", [0, 1])
def test_of_the_larger_table_as_many_rows_count(which):
    rng = np.random.RandomState(0)
    drawn = rng.normal(size=(400, 2))
    tables = [rng.normal(size=(100 if which == k else 1000, 2)) for k in range(2)]
    shares = [nearer_share(drawn, *tables, random_state=seed) for seed in range(3)]
    assert shares[0] != shares[1]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.1)
    assert nearer_share(drawn, *tables, random_state=0) == shares[0]


def test_units_types_and_containers_are_no_information(real, other):
    train, holdout, drawn = real[:200], real[200:400], other[:200]
    expected = nearer_share(drawn, train, holdout)
    for change in (in_other_types, pl.from_pandas, as_array):
        changed = change(drawn)
        assert nearer_share(changed, train, holdout) == expected
        assert nearer_share(changed, change(train), change(holdout)) == expected
    in_inches = [table.assign(size=table["size"] / 2.54) for table in (drawn, train, holdout)]
    assert nearer_share(*in_inches) == expected


def test_the_order_of_rows_is_no_information(real, other):
    train, holdout, drawn = real[:200], real[200:400], other[:200]
    share = nearer_share(drawn[::-1], train[::-1], holdout.sample(frac=1, random_state=0))
    assert share == nearer_share(drawn, train, holdout)


def test_columns_that_say_nothing():
    drawn, train, holdout = ([[1.0, np.nan, "a"]] for _ in range(3))
    assert nearer_share(drawn, train, holdout) == 0.5
    huge = np.array([[-1e308], [1e308]])  # whose range is infinite
    assert nearer_share(huge, huge, huge) == 0.5


def test_refusals(real):
    with pytest.raises(
        ValueError, match="'size' holds text in X_drawn, but numbers in X_train"
    ):
        nearer_share(real.assign(size="1"), real, real)
    with pytest.raises(ValueError, match=r"X_holdout lacks \['n'\]"):
        nearer_share(real, real, real.drop(columns="n"))


def test_a_random_state_that_is_none_is_refused(real):
    with pytest.raises(ValueError, match="'seed' cannot be used to seed"):
        nearer_share(real, real, real, random_state="seed")
