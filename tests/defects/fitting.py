"""Defects of what an estimator takes, keeps and leaves alone: parameters, fits, copies."""

import copy
import types

import numpy as np
import torch

from skmade import MADEDensity, _fitting, _input
from skmade._network.ensemble import Architecture

from .planting import defect, patch, put

CONTRACT = "test_contract.py::test_"
FITTING = "test_fitting.py::test_"
FORGETS = CONTRACT + "fit_forgets_the_fit_before"
GOES_ON = CONTRACT + "training_that_goes_on_keeps_what_was_learned"
HISTORY = CONTRACT + "history_tells_of_every_epoch"
HELD_OUT = CONTRACT + "held_out_log_likelihood_is_that_of_the_scores"
STORED = CONTRACT + "parameters_are_stored_as_they_are_and_nothing_else"
FAILED = CONTRACT + "a_failed_fit_keeps_the_old_model"
HEAVY = CONTRACT + "heavy_rows_count_more"
UNCHANGED = CONTRACT + "fit_returns_the_estimator_and_changes_no_parameter"
SAVED = "test_saving.py::test_saved_models_answer_bit_for_bit"


@defect("API", STORED)
def constructor_converts():
    """The constructor makes a tuple of what it is given."""

    @patch(MADEDensity, "__init__")
    def init(old, self, *args, **kwargs):
        old(self, *args, **kwargs)
        self.hidden_layer_sizes = tuple(np.atleast_1d(self.hidden_layer_sizes))


@defect("API", UNCHANGED)
def automatic_values_are_written_back():
    """fit replaces 'auto' by what it means."""

    @patch(_fitting, "fit_rows")
    def fit(old, estimator, *args, **kwargs):
        old(estimator, *args, **kwargs)
        estimator.n_estimators = len(estimator._state["weights"])
        return estimator


@defect("API", UNCHANGED)
def fit_returns_nothing():
    """fit does not return the estimator."""

    @patch(_fitting, "fit_rows")
    def fit(old, *args, **kwargs):
        old(*args, **kwargs)


@defect("API", CONTRACT + "parameters_that_are_set_change_the_next_fit")
def parameters_that_are_set_are_ignored():
    """The network keeps the shape that it had in the first fit."""

    @patch(_fitting, "read_architecture")
    def architecture(old, estimator, table, *args):
        if hasattr(estimator, "_state"):
            return Architecture(**estimator._state["architecture"])
        return old(estimator, table, *args)


@defect("API", FORGETS)
def weights_kept_across_fits():
    """fit goes on from the fit before if the number of columns is the same."""

    @patch(_fitting, "fit_rows")
    def fit(old, estimator, X, sample_weight, X_val, run):
        again = getattr(estimator, "n_features_in_", None) == np.shape(X)[1]
        run = run._replace(resume=run.resume or again)
        return old(estimator, X, sample_weight, X_val, run)


@defect("API", FORGETS)
def history_kept_across_fits():
    """The history of a fit follows that of the fit before."""

    @patch(_fitting, "_report")
    def tell(old, fitted, trained, run):
        resume = run.resume or hasattr(fitted, "history_")
        old(fitted, trained, run._replace(resume=resume))


@defect("API", "test_refusals.py::test_column_names_are_held_to")
def names_kept_across_fits():
    """A fit to an array keeps the names of the table before."""
    put(_fitting, "_take_over", lambda estimator, fitted: update(estimator, vars(fitted)))


def update(estimator, attributes):
    vars(estimator).update(attributes)
    return estimator


@defect("API", CONTRACT + "what_is_learned_of_the_table")
def names_never_set():
    """There is no feature_names_in_."""

    @patch(_fitting, "_take_over")
    def take_over(old, estimator, fitted):
        old(estimator, fitted)
        vars(estimator).pop("feature_names_in_", None)
        return estimator


@defect("API", HISTORY)
def epochs_miscounted():
    """n_iter_ is the position of the last epoch, counted from zero."""

    @patch(_fitting, "_report")
    def tell(old, fitted, *args):
        old(fitted, *args)
        fitted.n_iter_ -= 1


@defect("API", HELD_OUT)
def held_out_score_of_training_rows():
    """best_validation_score_ is the log-likelihood of the rows that were trained on."""

    @patch(_fitting, "_report")
    def tell(old, fitted, trained, *args):
        old(fitted, trained, *args)
        if fitted.best_validation_score_ is not None:
            fitted.best_validation_score_ = fitted.history_["train"][-1]


@defect("API", HISTORY)
def prints_by_default():
    """Epochs are printed also if verbose is False."""

    @patch(_fitting, "train_stack")
    def train(old, estimator, *args, **kwargs):
        print("epoch 1")
        return old(estimator, *args, **kwargs)


@defect("API", HEAVY)
def weights_ignored():
    """sample_weight has no influence."""

    @patch(_input, "weighted_rows")
    def weighted_rows(old, X, sample_weight):
        X, kept, weight = old(X, sample_weight)
        return X, kept, None if weight is None else np.ones_like(weight)


@defect("API", CONTRACT + "rows_of_weight_zero_leave_no_trace")
def rows_of_weight_zero_kept():
    """Rows of weight zero are held out, and counted, like all others."""

    @patch(_input, "weighted_rows")
    def weighted_rows(old, X, sample_weight):
        if sample_weight is not None:
            sample_weight = np.maximum(sample_weight, 1e-9)
        return old(X, sample_weight)


@defect("API", HELD_OUT)
def validation_rows_ignored():
    """X_val has no influence."""

    @patch(_fitting, "fit_rows")
    def fit(old, estimator, X, sample_weight, X_val, run):
        return old(estimator, X, sample_weight, None, run)


@defect("API", GOES_ON)
def warm_start_begins_again():
    """fit with warm_start forgets what was learned."""

    @patch(_fitting, "fit_rows")
    def fit(old, *args):
        *args, run = args
        return old(*args, run._replace(resume=run.resume and run.keep_optimizer))


@defect("API", GOES_ON)
def partial_fit_begins_again():
    """partial_fit forgets the chunks before."""

    @patch(_fitting, "fit_rows")
    def fit(old, *args):
        *args, run = args
        return old(*args, run._replace(resume=run.resume and not run.keep_optimizer))


@defect("API", FITTING + "training_that_goes_on_refuses_what_the_network_was_not_drawn_for")
def changed_orderings_accepted():
    """Training goes on with a network of another ordering than the one asked for."""
    put(_fitting, "drawn_for", lambda estimator, layout: dict.fromkeys(_fitting.DRAWN_FOR))


@defect("API", FITTING + "training_goes_on_with_the_same_parameter_in_another_form")
def parameters_compared_as_they_are():
    """An ordering that is given as an array is taken for another one than as a list."""

    @patch(_fitting, "drawn_for")
    def drawn_for(old, estimator, layout):
        return {**old(estimator, layout), "ordering": repr(estimator.ordering)}


@defect("API", FITTING + "jobs_do_not_carry_what_an_earlier_fit_found")
def jobs_carry_the_old_model():
    """The weights of an earlier fit travel to every job of the next one."""
    put(_fitting, "without_state", copy.copy)


@defect("API", FAILED)
def old_model_thrown_away_first():
    """fit deletes the old model before it reads the table."""

    @patch(_fitting, "fit_rows")
    def fit(old, estimator, X, sample_weight, X_val, run):
        if not run.resume:
            vars(estimator).pop("_state", None)
        return old(estimator, X, sample_weight, X_val, run)


@defect("API", FAILED)
def half_written_state():
    """fit writes to the estimator itself while things can go wrong."""
    put(_fitting, "copy", types.SimpleNamespace(copy=lambda estimator: estimator))


@defect("API", SAVED)
def pickles_lose_the_history():
    """A saved model has no history_."""

    @patch(MADEDensity, "__getstate__")
    def getstate(old, self):
        return {**old(self), "history_": {}}


@defect("API", "test_saving.py::test_a_loaded_model_goes_on_training_as_it_would_have")
def pickles_lose_the_optimizer():
    """A saved model begins anew in partial_fit."""
    put(_fitting, "copy", types.SimpleNamespace(copy=stand_in))
    change_saved_state(lambda state: {**state, "optimizer": None})


@defect("API", SAVED)
def pickles_round_weights():
    """A saved model has weights of half precision."""
    change_saved_state(
        lambda state: {**state, "weights": state["weights"].astype(np.float16).astype("f4")}
    )


def change_saved_state(change):
    @patch(MADEDensity, "__getstate__")
    def getstate(old, self):
        state = old(self)
        return {**state, "_state": change(state["_state"])} if "_state" in state else state


def stand_in(estimator):
    """Copy an estimator without the way that pickles take."""
    return update(object.__new__(type(estimator)), vars(estimator))


@defect("API", "test_saving.py::test_state_is_arrays_and_plain_scalars")
def tensors_on_the_estimator():
    """A fitted estimator holds a tensor of torch."""

    @patch(_fitting, "_take_over")
    def take_over(old, estimator, fitted):
        fitted._tensor = torch.zeros(1)
        return old(estimator, fitted)


@defect("API", CONTRACT + "a_clone_has_the_parameters_and_is_not_fitted")
def clones_are_fitted():
    """A clone scores like the estimator that it was made from."""
    MADEDensity.__sklearn_clone__ = copy.deepcopy


@defect("API", CONTRACT + "a_clone_has_the_parameters_and_is_not_fitted")
def clones_lose_a_parameter():
    """A clone has no random_state."""

    def clone(self):
        return MADEDensity(**{**self.get_params(), "random_state": None})

    MADEDensity.__sklearn_clone__ = clone
