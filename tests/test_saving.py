"""Copies of a fitted estimator score and draw as it does."""

import copy
import io
import pickle

import cloudpickle
import joblib
import numpy as np
import pytest
import skops.io
from configurations import cells
from numpy.testing import assert_array_equal

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
def test_saved_models_score_and_draw_bit_for_bit(fitted, table, save):
    loaded = save(fitted)
    assert_array_equal(loaded.score_samples(table), fitted.score_samples(table))
    drawn = cells(loaded.sample(9, random_state=0))
    assert_array_equal(drawn, cells(fitted.sample(9, random_state=0)))
    assert loaded.history_ == fitted.history_


def test_a_saved_model_goes_on_training_as_it_would_have(case, table):
    density = case.density().partial_fit(table)
    loaded = pickle.loads(pickle.dumps(density)).partial_fit(table)
    expected = density.partial_fit(table).score_samples(table)
    assert_array_equal(loaded.score_samples(table), expected)


def test_memory_mapped_model(fitted, table, tmp_path):
    joblib.dump(fitted, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model", mmap_mode="r")
    assert_array_equal(loaded.score_samples(table), fitted.score_samples(table))


def test_skops_needs_one_trusted_name(fitted):
    untrusted = skops.io.get_untrusted_types(data=skops.io.dumps(fitted))
    assert untrusted == ["skmade._density.MADEDensity"]


def test_state_is_arrays_and_plain_scalars(fitted):
    plain = (np.ndarray, np.generic, str, int, float, bool, type(None))

    def walk(value):
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, (list, tuple)):
            for item in value:
                walk(item)
        else:
            assert isinstance(value, plain), type(value)

    walk(vars(fitted))
