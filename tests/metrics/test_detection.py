"""Whether a classifier tells drawn rows from real ones."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import KFold

from skmade.metrics import c2st
from skmade.metrics._detection import Detection, detect
from skmade.metrics._tables import read_together

from .conftest import as_array, in_other_types, mixed_rows, shuffled


def test_rows_of_one_distribution_cannot_be_told_apart(real, other):
    # The area of each fold has a standard error of 0.02.
    assert 0.9 < c2st(real, other, random_state=0) <= 1


def test_shuffled_columns_are_told_apart(real):
    assert c2st(real, shuffled(real), random_state=0) < 0.15


def test_rows_that_lie_apart_score_zero(real):
    assert c2st(real, real.assign(n=real["n"] + 100), random_state=0) == 0


def test_the_score_is_the_folded_area_averaged_over_folds():
    detection = Detection(np.zeros(0), np.array([0.3, 0.5, 0.75]))
    assert detection.score == pytest.approx((1 + 1 + 0.5) / 3)


def test_copies_score_one(real):
    # A copy is always in another fold or the same: areas are below one half, not above it.
    detection = detect(read_together({"X_real": real, "X_drawn": real}), 3, 0)
    assert detection.areas.mean() < 0.5
    assert c2st(real, real, random_state=0) == detection.score == 1


def test_probabilities_are_out_of_fold(real):
    drawn = shuffled(real)
    detection = detect(read_together({"X_real": real, "X_drawn": drawn}), 3, 0)
    assert detection.probability.shape == (800,)
    assert detection.probability[400:].mean() - detection.probability[:400].mean() > 0.4


def test_types_containers_and_labels_are_no_information(real):
    real = real[:120]
    drawn = shuffled(real)
    expected = c2st(real, drawn, random_state=0)
    for table in (in_other_types(drawn), pl.from_pandas(drawn), as_array(drawn)):
        assert c2st(real, table, random_state=0) == expected


def test_the_order_of_rows_is_next_to_no_information(real):
    drawn = shuffled(real)
    first = c2st(real, drawn, random_state=0)
    permuted = drawn.sample(frac=1, random_state=0)
    assert c2st(real, permuted, random_state=0) == pytest.approx(first, abs=0.05)


def test_tables_may_be_of_different_sizes(real, other):
    assert c2st(real, other[:200], random_state=0) > 0.8
    assert c2st(real, shuffled(real)[:200], random_state=0) < 0.4


def test_missing_cells_tell():
    real = mixed_rows(500, 0)
    drawn = mixed_rows(500, 1)
    drawn.loc[::2, "size"] = np.nan
    assert c2st(real, drawn, random_state=0) < 0.7
    assert c2st(real.assign(none=np.nan), real.assign(none=None), random_state=0) == 1


def test_the_random_state_decides(real, other):
    first = c2st(real[:150], other[:150], random_state=np.random.RandomState(3))
    assert c2st(real[:150], other[:150], random_state=3) == first


@pytest.mark.parametrize("cv", [1, 3])
def test_folds_need_rows(cv):
    table = pd.DataFrame({"a": [1.0, 2.0]})
    with pytest.raises(
        ValueError, match=f"cv={cv} is no number of folds for 2 real and 2 drawn"
    ):
        c2st(table, table, cv=cv)


def test_few_rows_tell_nothing():
    real = np.random.RandomState(0).normal(size=(25, 2))
    assert c2st(real, real + 100, random_state=0) == 1
    assert c2st(np.tile(real, (2, 1)), np.tile(real, (2, 1)) + 100, random_state=0) == 0


@pytest.mark.parametrize("cv", [None, 3.0, "3", KFold(3)])
def test_folds_are_a_number(real, cv):
    with pytest.raises(TypeError, match=r"cv=.* is no number of folds: pass an int"):
        c2st(real, real, cv=cv)


@pytest.mark.parametrize("n_cells", [0, 1])
def test_columns_that_some_folds_have_no_cells_of(n_cells):
    cells = np.full((40, 1), np.nan)
    cells[:n_cells] = 1.0
    assert c2st(cells, np.full((40, 1), np.nan), random_state=0) == pytest.approx(1, abs=0.1)


def test_huge_numbers_are_told_apart_as_others_are(recwarn):
    real, drawn = np.random.RandomState(0).uniform(-1, 1, size=(2, 300, 2))
    found = c2st(real, drawn + 0.2, random_state=0)
    unit = 1.4e308
    assert c2st(unit * real, unit * (drawn + 0.2), random_state=0) == pytest.approx(found)
    assert not len(recwarn)
