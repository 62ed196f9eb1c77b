"""The detector: a density of any kind, and a threshold that is all contamination changes."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import kstest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from skmade import MADEDensity, MADEOutlierDetector
from skmade._anomaly.tails import lower_quantile, typical_threshold
from skmade.datasets import CorrelatedGaussian, TwoMoons
from tests.configurations import quick
from tests.estimator_checks import check_all

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DENSITIES = {
    "MADEDensity": quick(),
    "KernelDensity": KernelDensity(bandwidth=0.3),
    "GaussianMixture": GaussianMixture(random_state=0),
    "Pipeline": make_pipeline(StandardScaler(), quick()),
}
X = CorrelatedGaussian(3).sample(205, random_state=0)


@pytest.fixture(params=DENSITIES.values(), ids=DENSITIES.keys())
def density(request):
    """Return an unfitted density."""
    return clone(request.param)


PLAIN = quick(hidden_layer_sizes=(4,), n_components=1, max_iter=1)


@pytest.mark.parametrize(
    ("density", "share"),
    [
        (PLAIN, 1.0),
        (PLAIN, 0.75),
        (KernelDensity(), 1.0),
        (make_pipeline(StandardScaler(), GaussianMixture(random_state=0)), 1.0),
    ],
    ids=["MADEDensity", "core", "KernelDensity", "Pipeline"],
)
def test_check_estimator(density, share):
    check_all(MADEOutlierDetector(density, support_fraction=share))


@pytest.mark.slow
def test_check_estimator_without_weights():
    density = make_pipeline(StandardScaler(), GaussianMixture(random_state=0))
    check_all(MADEOutlierDetector(density, support_fraction=0.75))


@pytest.mark.slow
def test_check_estimator_with_the_default_density():
    check_all(MADEOutlierDetector())


def test_contamination_changes_the_threshold_only(density):
    detectors = [
        MADEOutlierDetector(density, contamination=share).fit(X)
        for share in (0.01, 0.1, 0.5, "auto")
    ]
    offsets = [detector.offset_ for detector in detectors]
    assert offsets[0] < offsets[1] < offsets[2]
    assert len(set(offsets)) == 4
    expected = clone(density).fit(X).score_samples(X)
    for detector in detectors:
        assert_array_equal(detector.score_samples(X), expected)
    assert not hasattr(density, "n_features_in_")  # the density that is given stays unfitted


def test_the_default_density_is_reproducible():
    rows = X[:20]
    first, second = (MADEOutlierDetector().fit(rows) for _ in range(2))
    assert isinstance(first.estimator_, MADEDensity)
    assert_array_equal(first.score_samples(rows), second.score_samples(rows))


@pytest.mark.parametrize(("share", "n_outliers"), [(0.001, 0), (0.1, 20), (1 / 3, 68)])
def test_the_share_of_training_rows_are_outliers(density, share, n_outliers):
    detector = MADEOutlierDetector(density, contamination=share)
    labels = detector.fit_predict(X)
    assert (labels == -1).sum() == n_outliers
    scores = detector.score_samples(X)
    assert_array_equal(labels == -1, scores < np.sort(scores)[n_outliers])
    assert_array_equal(detector.decision_function(X), scores - detector.offset_)


def test_ties_are_inliers_if_they_do_not_fit_into_the_share():
    scores = np.array([0.0, 1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0])
    for share, n_below in [(0.1, 1), (0.2, 1), (0.3, 1), (0.4, 4), (0.5, 5)]:
        assert (scores < lower_quantile(scores, share, np.ones(10))).sum() == n_below


@pytest.mark.parametrize(
    "threshold", [lambda s, w: lower_quantile(s, 0.2, w), typical_threshold]
)
def test_weights_count_as_repeated_rows(threshold):
    rng = np.random.RandomState(0)
    scores, weight = rng.normal(size=100), rng.randint(4, size=100)
    repeated = np.repeat(scores, weight)
    expected = threshold(repeated, np.ones(len(repeated)))
    assert_allclose(threshold(scores, weight.astype(float)), expected, rtol=1e-12)
    assert threshold(scores, np.ones(100)) != expected


@pytest.mark.parametrize("n_features", [1, 2, 5, 30, 1000])
def test_half_a_percent_of_a_gaussian_are_outliers(n_features):
    scores = 7 - 0.5 * np.random.RandomState(0).chisquare(n_features, size=40_000)
    share = (scores < typical_threshold(scores, np.ones(len(scores)))).mean()
    assert 0.0035 < share < 0.0065


@pytest.mark.parametrize("n_features", [1, 5, 30])
def test_outliers_do_not_hide_themselves(n_features):
    scores = -0.5 * np.random.RandomState(0).chisquare(n_features, size=2000)
    spoilt = np.concatenate([np.full(200, -1e6), scores[200:]])
    outliers = spoilt < typical_threshold(spoilt, np.ones(2000))
    assert outliers[:200].all()
    assert 0 < outliers[200:].mean() < 0.005


def test_equal_scores_are_inliers():
    for scores in (np.zeros(7), np.repeat([0.0, -1.0], [60, 40])):
        threshold = typical_threshold(scores, np.ones(len(scores)))
        assert not (scores < threshold).any()
        assert -5 < threshold < -1
    spread = np.linspace(0, -1e300, 9)
    assert np.isfinite(typical_threshold(spread, np.ones(9)))


def contaminated(seed=0):
    """Return 270 ordinary rows and 30 others far and wide, and which those are."""
    ordinary = CorrelatedGaussian(3).sample(270, random_state=seed)
    others = np.random.RandomState(seed).uniform(-8, 8, size=(30, 3))
    return np.concatenate([ordinary, others]), np.repeat([0, 1], [270, 30])


def test_training_rows_may_be_contaminated():
    rows, is_outlier = contaminated()
    density = quick(max_iter=40, n_estimators=2, min_scale=0.1)
    detector = MADEOutlierDetector(density, contamination="auto").fit(rows)
    assert roc_auc_score(is_outlier, -detector.score_samples(rows)) > 0.97
    found = detector.predict(rows) == -1
    assert found[is_outlier == 1].mean() > 0.7
    assert found[is_outlier == 0].mean() < 0.02


def clustered(seed=0):
    """Return 270 ordinary rows and a cluster of 30 others, and which those are."""
    ordinary = CorrelatedGaussian(3).sample(270, random_state=seed)
    others = np.random.RandomState(seed).normal([2.5, -2.5, 2.5], 0.3, size=(30, 3))
    return np.concatenate([ordinary, others]), np.repeat([0, 1], [270, 30])


@pytest.mark.parametrize("name", DENSITIES)
def test_the_core_of_the_rows_finds_a_cluster_of_outliers(name):
    rows, is_outlier = clustered()
    density = quick(max_iter=40, n_components=10) if name == "MADEDensity" else DENSITIES[name]
    spoilt, robust = (
        MADEOutlierDetector(density, support_fraction=share).fit(rows) for share in (1.0, 0.75)
    )
    assert spoilt.support_.all()
    assert not robust.support_[is_outlier == 1].any()
    areas = [roc_auc_score(is_outlier, -d.score_samples(rows)) for d in (spoilt, robust)]
    assert areas[1] > 0.99
    assert areas[1] > areas[0]


def test_a_density_without_weights_sees_the_core_alone():
    rows, _ = clustered()
    mixture = GaussianMixture(random_state=0)
    detector = MADEOutlierDetector(mixture, support_fraction=0.75).fit(rows)
    expected = clone(mixture).fit(rows[detector.support_])
    assert_array_equal(detector.score_samples(rows), expected.score_samples(rows))
    pipeline = MADEOutlierDetector(DENSITIES["Pipeline"], support_fraction=0.75)
    weight = np.repeat([1.0, 0.0], [250, 50])
    pipeline.fit(rows, madedensity__sample_weight=weight)
    assert not pipeline.support_[250:].any()
    assert (pipeline.predict(rows[:250]) == -1).sum() == 25


def test_contamination_does_not_change_the_core():
    rows, _ = clustered()
    first, second = (
        MADEOutlierDetector(quick(), contamination=c, support_fraction=0.8).fit(rows)
        for c in (0.05, "auto")
    )
    assert_array_equal(first.support_, second.support_)
    assert_array_equal(first.score_samples(rows), second.score_samples(rows))
    assert first.offset_ != second.offset_


def test_labels_outside_of_the_core_are_known():
    table = mixed_table()
    table["colour"] = table["colour"].cat.add_categories("grey")
    table.loc[3, "colour"] = "grey"
    detector = MADEOutlierDetector(quick(), support_fraction=0.9).fit(table)
    assert not detector.support_[3]
    scores = detector.score_samples(table)
    assert np.isfinite(scores).all()
    assert scores[3] < detector.offset_


def test_weights_and_the_core_go_together():
    rows, _ = clustered()
    repeats = np.random.RandomState(0).randint(1, 4, size=len(rows))
    robust = MADEOutlierDetector(KernelDensity(bandwidth=2.0), support_fraction=0.75)
    expected = clone(robust).fit(np.repeat(rows, repeats, axis=0)).score_samples(rows)
    robust.fit(rows, sample_weight=repeats)
    assert_allclose(robust.score_samples(rows), expected, atol=1e-9)
    with pytest.raises(ValueError, match="Negative"):
        robust.fit(rows, sample_weight=repeats - 2)


@pytest.mark.parametrize("share", [1.0, 0.75])
def test_weights_of_any_magnitude_count_the_same(share):
    rows, _ = clustered()
    detector = MADEOutlierDetector(quick(), support_fraction=share)
    expected = clone(detector).fit(rows).offset_
    for weight in (1e-300, 1e308):
        assert detector.fit(rows, sample_weight=np.full(len(rows), weight)).offset_ == expected


def test_the_core_of_partitions_is_refused_before_they_are_read():
    table = pytest.importorskip("dask.array").from_array(X, chunks=(50, 3))
    with pytest.raises(ValueError, match="support_fraction at 1"):
        MADEOutlierDetector(quick(), support_fraction=0.75).fit(table)


def mixed_table():
    """Return a DataFrame with numbers, labels and missing cells."""
    rng = np.random.RandomState(0)
    colour = rng.choice(["red", "green", "blue"], size=120)
    size = np.where(colour == "red", 5.0, 1.0) + rng.normal(size=120)
    size[::7] = np.nan
    return pd.DataFrame({"size": size, "colour": pd.Categorical(colour)})


def test_mixed_tables_reach_the_density():
    table = mixed_table()
    detector = MADEOutlierDetector(quick(max_iter=20)).fit(table)
    assert detector.n_features_in_ == 2
    assert list(detector.feature_names_in_) == ["size", "colour"]
    odd = pd.DataFrame({"size": [30.0, 1.0], "colour": ["red", "green"]})
    assert_array_equal(detector.predict(odd), [-1, 1])
    assert_array_equal(
        detector.score_features(table), detector.estimator_.score_features(table)
    )
    detector.fit(X)  # an array: the names are gone
    assert detector.n_features_in_ == 3
    assert not hasattr(detector, "feature_names_in_")


def test_score_features_are_there_if_the_density_has_them():
    assert hasattr(MADEOutlierDetector(), "score_features")
    with pytest.raises(NotFittedError):
        MADEOutlierDetector().score_features(X)
    for density in (KernelDensity(), GaussianMixture()):
        assert not hasattr(MADEOutlierDetector(density), "score_features")


def test_input_tags_are_those_of_the_density():
    for density, accepts in [(None, True), (quick(), True), (KernelDensity(), False)]:
        tags = get_tags(MADEOutlierDetector(density))
        assert tags.estimator_type == "outlier_detector"
        assert tags.input_tags.allow_nan == tags.input_tags.categorical == accepts


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"estimator": StandardScaler()}, "'score_samples'"),
        ({"estimator": make_pipeline(StandardScaler())}, "'score_samples'"),
        ({"contamination": 0.0}, "contamination"),
        ({"contamination": 0.6}, "contamination"),
        ({"contamination": "none"}, "contamination"),
        ({"support_fraction": 0.49}, "support_fraction"),
        ({"support_fraction": 1.1}, "support_fraction"),
    ],
)
def test_refused_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        MADEOutlierDetector(**parameters).fit(X)


class Undecided(KernelDensity):
    """A density with a defect."""

    def score_samples(self, X):
        """Give no answer."""
        return np.full(len(X), np.nan)


def test_scores_that_are_no_numbers_are_refused_and_the_old_model_kept():
    detector = MADEOutlierDetector(KernelDensity()).fit(X)
    expected = detector.decision_function(X)
    with pytest.raises(ValueError, match=r"Undecided.*NaN"):
        detector.set_params(estimator=Undecided()).fit(X)
    assert_array_equal(detector.decision_function(X), expected)


def test_unfitted():
    with pytest.raises(NotFittedError):
        MADEOutlierDetector().predict(X)


def test_weights_reach_the_density_and_the_threshold():
    repeats = np.random.RandomState(0).randint(1, 4, size=len(X))
    expected = MADEOutlierDetector(KernelDensity()).fit(np.repeat(X, repeats, axis=0))
    detector = MADEOutlierDetector(KernelDensity()).fit(X, sample_weight=repeats)
    assert_allclose(detector.decision_function(X), expected.decision_function(X), atol=1e-12)
    weight = np.repeat([1.0, 0.0], [150, 55])
    pipeline = MADEOutlierDetector(make_pipeline(StandardScaler(with_std=False), quick()))
    pipeline.fit(X, madedensity__sample_weight=weight)
    assert (pipeline.predict(X[:150]) == -1).sum() == 15
    with pytest.raises(TypeError, match="sample_weight"):
        MADEOutlierDetector(GaussianMixture()).fit(X, sample_weight=weight)


def test_metadata_routing():
    weight = np.repeat([1.0, 0.0], [150, 55])
    with sklearn.config_context(enable_metadata_routing=True):
        asking = make_pipeline(StandardScaler(), quick().set_fit_request(sample_weight=True))
        asking.steps[0][1].set_fit_request(sample_weight=False)
        routed = MADEOutlierDetector(asking).fit(X, sample_weight=weight)
        assert (routed.predict(X[:150]) == -1).sum() == 15
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
            MADEOutlierDetector(quick()).fit(X, sample_weight=weight)


def test_a_pickle_gives_the_same_answers(density):
    detector = MADEOutlierDetector(density).fit(X)
    loaded = pickle.loads(pickle.dumps(detector))
    assert loaded.offset_ == detector.offset_
    assert_array_equal(loaded.decision_function(X), detector.decision_function(X))


def rare(**parameters):
    """Return a detector that scores by rarity, and fits in a fraction of a second."""
    folds = {"n_estimators": 4, "validation_fraction": 0.25, "dropout": 0.1}
    density = quick(handle_unknown="smoothed", **folds)
    return MADEOutlierDetector(density, criterion="rarity", **parameters)


NEW = CorrelatedGaussian(3).sample(3000, random_state=1)


def test_the_default_is_rarity_and_other_densities_are_taken_as_they_are():
    assert MADEOutlierDetector().fit(X[:30]).criterion_ == "rarity"
    detector = MADEOutlierDetector(KernelDensity()).fit(X)
    assert detector.criterion_ == "density"
    assert not hasattr(detector, "p_values")
    assert not hasattr(MADEOutlierDetector(KernelDensity()), "explain")


def test_rarity_is_the_log_of_a_share_of_new_rows():
    detector = rare().fit(CorrelatedGaussian(3).sample(1000, random_state=2))
    scores = detector.score_samples(NEW)
    assert (scores <= 0).all()
    for share in (0.5, 0.2, 0.05):
        assert abs((scores < np.log(share)).mean() - share) < 4 * np.sqrt(share / 1000)


def test_scores_fall_along_rays():
    detector = rare().fit(X)
    reach = np.array([3.0, 10, 1e2, 1e4, 1e8, 1e16, 1e100, 1e300])
    for direction in ([1.0, -1, 1], [0, 0, 1], [-1, -1, -1]):
        scores = detector.score_samples(reach[:, None] * direction)
        assert np.isfinite(scores).all()
        assert (np.diff(scores) < 0).all()


def test_training_rows_are_scored_as_if_they_were_new():
    detector = rare(contamination=0.1).fit(X)
    scores = detector.score_samples(X)
    assert (detector.predict(X) == -1).sum() == 20
    held_out = detector.score_samples(X * (1 + 1e-5))  # not seen, but next to themselves
    assert scores.mean() < held_out.mean()
    alone = np.concatenate([detector.score_samples(row[None]) for row in X[:20]])
    assert_allclose(alone, scores[:20])


@pytest.mark.filterwarnings("ignore:Constant in fit")
def test_a_value_that_fit_did_not_see_is_odd_and_no_error():
    rng = np.random.RandomState(0)
    table = pd.DataFrame(
        {
            "flag": rng.randint(2, size=300),
            "label": rng.choice(["a", "b"], size=300),
            "constant": 1.0,
            "number": rng.normal(size=300),
        }
    )
    detector = rare().fit(table)
    usual = pd.DataFrame({"flag": [0], "label": ["a"], "constant": [1.0], "number": [0.1]})
    for change in ({"flag": 2}, {"label": "c"}, {"constant": 2.0}, {"number": 1e6}):
        score = detector.score_samples(usual.assign(**change))
        assert np.isfinite(score).all()
        assert score[0] < detector.score_samples(usual)[0] - 2
    holes = usual.assign(number=np.nan, label=None)
    assert np.isfinite(detector.score_samples(holes)).all()


@pytest.mark.filterwarnings("ignore:Constant in fit")
@pytest.mark.parametrize("n_rows", [1, 2, 3, 5, 6, 7, 12])
def test_few_rows(n_rows):
    detector = rare(contamination=0.3).fit(X[:n_rows])
    scores = detector.score_samples(NEW[:50])
    assert np.isfinite(scores).all()
    p_values = detector.p_values(NEW[:50])
    assert ((p_values > 0) & (p_values <= 1)).all()
    assert np.isfinite(detector.score_samples([[99.0, -99.0, 99.0]])).all()


def test_p_values_of_new_rows_are_uniform():
    detector = rare().fit(CorrelatedGaussian(3).sample(1000, random_state=2))
    assert kstest(detector.p_values(NEW), "uniform").statistic < 2.2 * np.sqrt(1 / 1000)


def test_p_values_need_no_clean_scale():
    """Ranks do not change with the scores' units, nor with repeated questions."""
    detector = rare().fit(X)
    p_values = detector.p_values(NEW)
    order = np.argsort(detector.score_samples(NEW))
    assert (np.diff(p_values[order]) >= 0).all()
    assert_array_equal(detector.p_values(NEW[:7]), p_values[:7])
    assert p_values.min() >= 1 / (len(X) + 1)


def test_a_false_discovery_rate_is_kept():
    rng = np.random.RandomState(0)
    shares, power = [], []
    detector = rare(false_discovery_rate=0.1).fit(
        CorrelatedGaussian(3).sample(1000, random_state=2)
    )
    for _ in range(30):
        new = NEW[rng.choice(len(NEW), 200, replace=False)].copy()
        new[:20] = rng.uniform(-8, 8, size=(20, 3))
        found = detector.predict(new) == -1
        shares.append(found[20:].sum() / max(found.sum(), 1))
        power.append(found[:20].mean())
    assert np.mean(shares) < 0.15
    assert np.mean(power) > 0.7
    none = detector.predict(CorrelatedGaussian(3).sample(200, random_state=5))
    assert (none == -1).sum() <= 3


def test_weight_zero_is_no_row():
    weight = np.repeat([1.0, 0.0], [150, 55])
    detector = rare().fit(X, sample_weight=weight)
    expected = rare().fit(X[:150])
    assert_allclose(detector.score_samples(NEW), expected.score_samples(NEW))
    assert_allclose(detector.offset_, expected.offset_)


def test_the_core_is_what_neighbours_are_of():
    rows, is_outlier = clustered()
    density = quick(n_estimators=4, validation_fraction=0.25, max_iter=20)
    areas = []
    for share in (1.0, 0.75):
        detector = MADEOutlierDetector(density, criterion="rarity", support_fraction=share)
        areas.append(roc_auc_score(is_outlier, -detector.fit(rows).score_samples(rows)))
    assert areas[1] > 0.98
    assert areas[1] > areas[0]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"estimator": KernelDensity(), "criterion": "rarity"}, "MADEDensity"),
        ({"estimator": KernelDensity(), "false_discovery_rate": 0.1}, "criterion='rarity'"),
        ({"false_discovery_rate": 1.0}, "false_discovery_rate"),
        ({"criterion": "score"}, "criterion"),
    ],
)
def test_what_does_not_go_together_is_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        MADEOutlierDetector(**parameters).fit(X)


def test_rarities_of_partitions():
    da = pytest.importorskip("dask.array")
    table = da.from_array(X, chunks=(50, 3))
    detector = rare().fit(X)
    assert_array_equal(detector.score_samples(table).compute(), detector.score_samples(X))
    assert_array_equal(detector.predict(table).compute(), detector.predict(X))
    with pytest.raises(ValueError, match="criterion='density'"):
        rare().fit(table)


def test_a_pickle_and_a_clone_of_rarities():
    detector = rare().fit(X)
    loaded = pickle.loads(pickle.dumps(detector))
    assert_array_equal(loaded.score_samples(NEW), detector.score_samples(NEW))
    again = clone(detector).fit(X)
    assert_array_equal(again.p_values(NEW), detector.p_values(NEW))
    detector.set_params(estimator=KernelDensity(), criterion="auto").fit(X)
    assert not hasattr(detector, "p_values")


def explained():
    """Return a detector of people, and three of them: odd by a number, a label, and not."""
    rng = np.random.RandomState(0)
    height = rng.normal(170, 10, size=400).round()
    sport = np.where(rng.uniform(size=400) < 0.9, height > 175, height < 175)
    table = pd.DataFrame(
        {
            "height": height,
            "weight": (height - 100 + 5 * rng.normal(size=400)).round(),
            "sport": np.where(sport, "basketball", "riding"),
        }
    )
    odd = pd.DataFrame(
        {
            "height": [180.0, 192.0, 170.0],
            "weight": [40.0, 92.0, 70.0],
            "sport": ["basketball", "riding", "riding"],
        }
    )
    density = quick(max_iter=40, min_scale=0.1, handle_unknown="smoothed")
    return MADEOutlierDetector(density, criterion="rarity").fit(table), odd


def test_explanations_name_the_cell_and_what_would_be_typical():
    detector, odd = explained()
    told = detector.explain(odd, n_cells=2)
    assert list(told.columns) == [
        "row", "column", "cell", "typical", "low", "high", "chance"
    ]  # fmt: skip
    assert told["row"].tolist() == [0, 0, 1, 1, 2, 2]
    weight = told[(told["row"] == 0) & (told["column"] == "weight")].iloc[0]
    assert weight["cell"] == "40"
    assert 65 < float(weight["typical"]) < 90
    assert 55 < weight["low"] < float(weight["typical"]) < weight["high"] < 105
    assert weight["chance"] < 1e-2
    first = told[told["row"] == 1].iloc[0]
    assert (first["column"], first["cell"], first["typical"]) == (
        "sport", "riding", "basketball"
    )  # fmt: skip
    assert np.isnan(first["low"])
    assert told.groupby("row")["chance"].min()[2] > 0.2


def test_explanations_of_an_array_are_an_array():
    detector = rare().fit(X)
    told = detector.explain([[0.0, 0.0, 9.0]], n_cells=1)
    assert told["column"].tolist() == [2]
    assert told["cell"].dtype == np.float64
    assert detector.explain([[0.0, np.nan, np.nan]])["column"].tolist() == [0]
    for wrong in ({"n_cells": 0}, {"confidence": 1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            detector.explain(X[:1], **wrong)


def test_explanations_come_in_the_kind_of_the_table():
    pl = pytest.importorskip("polars")
    detector, odd = explained()
    told = detector.explain(odd)
    as_polars = detector.explain(pl.from_pandas(odd))
    assert isinstance(as_polars, pl.DataFrame)
    assert as_polars["chance"].to_list() == told["chance"].tolist()


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_rows_with_holes_are_as_odd_in_any_unit(unit):
    rng = np.random.RandomState(0)
    a = rng.normal(size=(600, 1))
    rows = np.hstack([a + 0.05 * rng.normal(size=(600, 3)), rng.normal(size=(600, 1))]) * unit
    detector = rare().fit(rows[:300])
    new = rows[300:].copy()
    shares = []
    for n_holes in (1, 2, 4):
        new[:, :n_holes] = np.nan
        shares.append((detector.predict(new) == -1).mean())
    assert max(shares[:2]) < 0.2
    assert shares[2] < 0.15


def test_a_density_that_holds_out_too_little_is_told_of():
    rows = np.random.RandomState(0).normal(size=(100, 4))
    density = quick(early_stopping=False, max_iter=60)
    with pytest.warns(UserWarning, match="early_stopping=True"):
        MADEOutlierDetector(density, criterion="rarity").fit(rows)
    with pytest.warns(UserWarning, match="no X_val"):
        MADEOutlierDetector(quick(), criterion="rarity").fit(rows, X_val=rows[:20])
    # Rows that no member held out do not tell what is ordinary.
    some = MADEOutlierDetector(quick(validation_fraction=0.3), criterion="rarity").fit(rows)
    assert some.p_values(rows).min() == 1 / 31


@pytest.mark.slow
def test_p_values_and_thresholds_of_the_default():
    tables = {
        "two moons": TwoMoons().sample(2000, random_state=0),
        "Gaussian": CorrelatedGaussian(10).sample(2000, random_state=0),
        "wide": np.random.RandomState(0).normal(size=(1200, 40)),
        "diabetes": load_diabetes().data[:, [0, 2, 3, 4, 5, 6, 7, 8, 9]],
    }
    for rows in tables.values():
        rows = rows[np.random.RandomState(0).permutation(len(rows))]
        train, new = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        detector = MADEOutlierDetector(contamination=0.05).fit(train)
        assert kstest(detector.p_values(new), "uniform").pvalue > 1e-4
        if len(train) >= 500:
            assert 0.03 <= (detector.predict(new) == -1).mean() <= 0.07


def test_explanations_of_a_constant_that_changed():
    table = np.c_[X[:, 0], np.full(len(X), 7.0)]
    with pytest.warns(UserWarning, match="Constant"):
        detector = MADEOutlierDetector(quick(), criterion="rarity").fit(table)
    told = detector.explain([[0.0, 8.0], [0.0, 7.0]])
    assert told["column"].tolist() == [1, 0, 0]
    assert (told["cell"][0], told["typical"][0], told["chance"][0]) == (8.0, 7.0, 0.0)


def test_a_number_between_two_modes_is_odd():
    rng = np.random.RandomState(0)
    rows = np.c_[rng.choice([-5, 5], 400) + 0.3 * rng.normal(size=400), rng.normal(size=400)]
    density = quick(max_iter=30, min_scale=0.05)
    detector = MADEOutlierDetector(density, criterion="rarity").fit(rows)
    told = detector.explain([[0.0, 0.5], [5.0, 0.5]])
    assert told["column"][0] == 0
    assert told["chance"][0] < 0.02
    assert told[(told["row"] == 1) & (told["column"] == 0)]["chance"][0] > 0.2


def test_explanations_keep_what_the_user_wrote():
    detector, odd = explained()
    told = detector.explain(odd.iloc[[0]].assign(sport="chess", weight=152948717.0), n_cells=3)
    assert set(told["cell"]) == {"chess", "152948717", "180"}
    nothing = detector.explain(odd.iloc[[0]].assign(height=np.nan, weight=np.nan, sport=None))
    assert len(nothing) == 0
    assert list(nothing.columns) == list(told.columns)


def test_labels_of_another_type_are_told_of():
    rng = np.random.RandomState(0)
    table = pd.DataFrame({"code": rng.choice(["0", "1"], 200), "x": rng.normal(size=200)})
    detector = rare().fit(table)
    with pytest.warns(UserWarning, match=r"'code'.*such as '0', '1'"):
        detector.score_samples(table.assign(code=table["code"].astype(int)))


def test_a_rate_that_is_set_later_is_refused_as_in_fit():
    detector = MADEOutlierDetector(quick()).fit(X).set_params(false_discovery_rate=0.1)
    with pytest.raises(ValueError, match="criterion='rarity'"):
        detector.predict(X)


def test_one_weight_for_all():
    detector, weighted = rare().fit(X), rare().fit(X, sample_weight=2.0)
    assert_allclose(weighted.offset_, detector.offset_)
