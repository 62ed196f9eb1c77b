"""Defects of members that are trained by several recipes, and of what each counts."""

from dataclasses import replace

import numpy as np

from skmade import _fitting
from skmade._network import ensemble as ensembles
from skmade._network import masks
from skmade._network.ensemble import Ensemble, equal_shares
from skmade._prediction import drawing
from skmade._training import members
from skmade._training.adamw import AdamW
from skmade._training.jitter import Jitter
from skmade._training.objective import Objective

from .planting import defect, patch, patch_property

RECIPES = "test_recipes.py::test_"
TRAINING = "training/test_"
JITTER = TRAINING + "jitter.py::test_"
MASKS = "network/test_masks.py::test_"
WIDE = "network/test_ensemble.py::test_"


@defect(
    "density",
    "prediction/test_drawing.py::test_rows_come_from_every_member_as_often_as_it_counts",
)
def draws_of_all_members_alike():
    """Draws come from each member equally often, whatever it counts in the density."""

    @patch(drawing, "draw")
    def draw(old, ensemble, n_samples, rng):
        equal = replace(ensemble, shares=equal_shares(len(ensemble.shares)))
        return old(equal, n_samples, rng)


@defect("density", "test_laws.py::test_average_is_of_probabilities")
def members_count_the_same():
    """Scores are plain averages over members."""

    @patch_property(Ensemble, "log_odds")
    def log_odds(self):
        return np.zeros(self.n_paths)


@defect("density", "test_laws.py::test_density_of_the_observed_cells_sums_to_one")
def odds_are_taken_for_shares():
    """What members count is taken for how many times the average they do."""

    @patch_property(Ensemble, "log_odds")
    def log_odds(self):
        return np.repeat(np.log(self.shares), self.ranks.shape[1])


@defect("API", RECIPES + "a_warm_start_goes_on_with_the_same_recipes_and_held_out_rows")
def folds_are_forgotten():
    """A warm start holds out rows that members were trained on."""

    @patch(members, "recalled")
    def recalled(old, ensemble, told):
        folds = list(range(len(ensemble.weights)))
        return old(ensemble, told and {**told, "folds": folds})


@defect(
    "API", "test_fitting.py::test_training_without_held_out_rows_leaves_what_each_member_counts"
)
def partial_fit_forgets_what_members_count():
    """After partial_fit each recipe counts the same."""

    @patch(_fitting, "replace")
    def keep(old, one, **changes):
        if isinstance(one, Ensemble):
            changes.pop("shares", None)
        return old(one, **changes)


@defect("API", RECIPES + "a_warm_start_counts_the_members_that_were_left_out_too")
def members_left_out_are_forgotten():
    """Training that goes on twice takes members that were left out for another n_estimators."""

    @patch(members.Trained, "_replace")
    def replaced(old, self, **changes):
        changes.pop("n_trained", None)
        return old(self, **changes)


@defect("density", JITTER + "numbers_move_and_all_else_stays")
def atoms_are_moved():
    """Noise moves the zeros of a column with many zeros."""

    @patch(Jitter, "moved")
    def moved(old, self, values, noise, chosen):
        atoms, self.atoms = self.atoms, self.atoms[:, :0]
        try:
            return old(self, values, noise, chosen)
        finally:
            self.atoms = atoms


@defect("density", JITTER + "noise_never_moves_a_cell_beyond_an_edge")
def noise_ignores_edges():
    """Noise moves positive numbers below zero."""

    @patch(Jitter, "moved")
    def moved(old, self, values, noise, chosen):
        edges, self.low = self.low, self.low - 1e6
        try:
            return old(self, values, noise, chosen)
        finally:
            self.low = edges


@defect("density", WIDE + "networks_of_more_components_score_the_same")
def new_components_have_a_share():
    """Networks that are widened give new components a share."""

    @patch(ensembles, "widened")
    def widened(old, narrow, wide, weights, logit):
        return old(narrow, wide, weights, max(logit, -3.0))


@defect(
    "API", "training/test_gradients.py::test_strides_change_no_gradient_beyond_the_chain_rule"
)
def slopes_without_strides():
    """Gradients are those of a network without strides."""

    @patch(Objective, "gradients")
    def gradients(old, self, *args, **kwargs):
        units, calls = self.units_of_outputs, []

        def once(outputs):
            calls.append(outputs)
            return outputs if len(calls) > 1 or units is None else outputs.mul_(units)

        self._in_units = once
        return old(self, *args, **kwargs)


@defect(
    "API",
    "training/test_adamw.py::test_some_parameters_decay_toward_their_origin_and_others_toward_zero",
)
def all_weights_decay_toward_zero():
    """Direct connections decay toward zero, and with them the classical solution."""

    @patch(AdamW, "__init__")
    def init(old, self, *args, kept=()):
        old(self, *args)


@defect(
    "API", "network/test_masks.py::test_orderings_are_drawn_without_replacement_while_they_last"
)
def orderings_drawn_with_replacement():
    """Members of two columns may all have the same ordering."""

    @patch(masks, "random_orderings")
    def random_orderings(old, n_orderings, n_features, rng):
        drawn = [rng.permutation(n_features) for _ in range(n_orderings)]
        return np.array(drawn, dtype=np.int64).reshape(n_orderings, n_features)
