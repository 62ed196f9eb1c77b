"""Defects of what is given back: scores, draws, filled cells."""

import copy

import numpy as np

from skmade import MADEDensity, _fitting, _input
from skmade._network.masks import ranks_to_ordering
from skmade._prediction import drawing, scoring
from skmade._prediction.prepared import scorer
from skmade._prediction.walk import log_prob
from skmade._table.encoding import decode, encode, transform

from .planting import defect, patch

CONTRACT = "test_contract.py::test_"
SCORES = CONTRACT + "scores_are_finite_doubles_one_per_row"
AGAIN = CONTRACT + "answers_do_not_depend_on_the_calls_before"
SEEDS = CONTRACT + "same_seed_same_fit_and_another_seed_another"
NO_SEED = CONTRACT + "without_a_seed_every_fit_and_draw_is_another"
PARTS = CONTRACT + "parts_of_features_sum_to_the_score"
DRAWS = "test_draw_contract.py::test_draws_"
FILLED = "test_draw_contract.py::test_cells_that_are_there_stay_and_the_others_are_filled_in"


@defect("API", SCORES)
def scores_not_numbers():
    """The lowest of many scores is NaN."""

    @patch(MADEDensity, "score_samples")
    def score_samples(old, self, X):
        scores = old(self, X)
        scores[scores < np.quantile(scores, 0.005)] = np.nan
        return scores


@defect("API", CONTRACT + "far_rows_score_lower_and_finite")
def scores_of_minus_infinity():
    """Far rows score minus infinity."""

    @patch(MADEDensity, "score_samples")
    def score_samples(old, self, X):
        scores = old(self, X)
        return np.where(scores < -700, -np.inf, scores)


@defect("API", SCORES)
def scores_of_single_precision():
    """Scores are float32."""

    @patch(MADEDensity, "score_samples")
    def score_samples(old, self, X):
        return old(self, X).astype(np.float32)


@defect("API", SCORES)
def scores_in_a_column():
    """Scores have shape (n_samples, 1)."""

    @patch(MADEDensity, "score_samples")
    def score_samples(old, self, X):
        return old(self, X)[:, None]


@defect("API", SCORES)
def score_is_a_mean():
    """score is the mean log-likelihood, not the total."""

    @patch(MADEDensity, "score")
    def score(old, self, X, y=None, sample_weight=None):
        return old(self, X, y, sample_weight) / len(X)


@defect("API", SCORES)
def score_without_weights():
    """score ignores sample_weight."""

    @patch(MADEDensity, "score")
    def score(old, self, X, y=None, sample_weight=None):
        return old(self, X, y)


@defect("API", CONTRACT + "a_row_scores_the_same_alone_and_in_any_batch")
def scores_depend_on_the_batch():
    """Rows are cut at quantiles of the rows that are scored with them."""

    @patch(scoring, "log_density")
    def log_density(old, ensemble, X, max_bytes):
        known = ~np.isnan(X).all(axis=0)
        X = X.copy()
        X[:, known] = np.clip(X[:, known], *np.nanquantile(X[:, known], [0.02, 0.98], axis=0))
        return old(ensemble, X, max_bytes)


@defect("API", AGAIN)
def scores_of_the_next_mask():
    """Each call scores with the next member or mask of the list."""
    calls = [0]

    @patch(scoring, "_log_density_at_once")
    def log_density(_, ensemble, values):
        calls[0] += 1
        walk = scorer(ensemble, calls[0] % ensemble.n_paths)
        return log_prob(walk, values)


@defect("API", AGAIN)
def draws_of_missing_cells_not_fixed():
    """Missing cells are integrated by other draws at each call."""

    @patch(scoring, "fixed_uniforms")
    def uniforms(_, *shape):
        return np.random.RandomState().random_sample(shape)


@defect("API", AGAIN)
def scoring_writes_to_the_estimator():
    """Scoring remembers on the estimator how many rows it has seen."""

    @patch(MADEDensity, "score_samples")
    def score_samples(old, self, X):
        scores = old(self, X)
        self.n_scored_ = getattr(self, "n_scored_", 0) + len(scores)
        return scores


@defect("API", SEEDS)
def seed_of_fit_ignored():
    """fit takes fresh entropy, whatever its random_state."""

    @patch(_fitting, "private_random_state")
    def random_state(_, seed):
        return np.random.RandomState()


@defect("API", NO_SEED)
def seed_of_zero_by_default():
    """Without a seed all fits and draws are the same."""

    @patch(_input, "private_random_state")
    def random_state(old, seed):
        return old(0 if seed is None else seed)


@defect("API", DRAWS + "follow_the_seed")
def seed_of_draws_ignored():
    """sample ignores random_state."""

    @patch(MADEDensity, "sample")
    def sample(old, self, n_samples=1, random_state=None, given=None):
        return old(self, n_samples, None, given)


@defect("API", DRAWS + "follow_the_seed")
def draws_always_the_same():
    """sample gives the same rows at each call."""

    @patch(MADEDensity, "sample")
    def sample(old, self, n_samples=1, random_state=None, given=None):
        return old(self, n_samples, 0 if random_state is None else random_state, given)


@defect("API", DRAWS + "follow_the_seed")
def generator_not_advanced():
    """A generator that is passed stays as it was."""

    @patch(_input, "private_random_state")
    def random_state(old, seed):
        return copy.deepcopy(old(seed))


@defect("API", DRAWS + "lie_where_the_table_does")
def draws_in_the_order_of_the_model():
    """Columns of drawn rows are in the order in which they were drawn."""

    @patch(drawing, "draw")
    def draw(old, ensemble, *args):
        return old(ensemble, *args)[:, ranks_to_ordering(ensemble.ranks[0, 0])]


@defect("API", DRAWS + "have_the_form_of_the_table")
def single_columns_squeezed():
    """Draws of one row, or of one column, have one dimension."""

    @patch(MADEDensity, "sample")
    def sample(old, self, *args, **kwargs):
        drawn = old(self, *args, **kwargs)
        return drawn.squeeze() if isinstance(drawn, np.ndarray) else drawn


@defect("API", "test_draw_contract.py::test_given_cells_are_in_every_draw")
def given_cells_ignored():
    """sample ignores given."""

    @patch(MADEDensity, "sample")
    def sample(old, self, n_samples=1, random_state=None, given=None):
        return old(self, n_samples, random_state)


@defect("API", FILLED)
def observed_cells_changed():
    """impute gives observed cells back as they come out of the network's units."""

    @patch(drawing, "complete")
    def complete(old, ensemble, X, *args):
        filled, n_effective = old(ensemble, X, *args)
        there = decode(ensemble.table, encode(ensemble.table, X))
        return np.where(np.isnan(X), filled, there), n_effective


@defect("API", FILLED)
def strategy_ignored():
    """impute draws cells also where their means are asked for."""

    @patch(MADEDensity, "impute")
    def impute(old, self, X, strategy="sample", random_state=None):
        return old(self, X, "sample", random_state)


@defect("API", PARTS)
def parts_do_not_add_up():
    """score_features leaves out what the average has beyond its paths."""

    @patch(scoring, "feature_log_density")
    def parts(_, ensemble, X, max_bytes):
        cells = transform(ensemble.table, X)
        parts, everything = cells.log_factors, np.ones(len(X), dtype=bool)

        def take(rows, found):
            parts[rows] += np.einsum("nj,njd->nd", found.responsibilities, found.log_probs)

        scoring.explain_all(ensemble, cells.values, everything, max_bytes, take)
        return np.where(cells.missing, 0.0, parts)


@defect("API", PARTS)
def missing_cells_have_a_part():
    """What the average has beyond its paths goes to missing cells, too."""

    @patch(scoring, "feature_log_density")
    def parts(old, ensemble, X, max_bytes):
        parts = old(ensemble, X, max_bytes)
        mean = parts.mean(axis=1, keepdims=True)
        return np.where(np.isnan(X).any(axis=1, keepdims=True), mean, parts)
