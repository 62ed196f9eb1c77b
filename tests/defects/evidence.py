"""Defects of members that start as mixtures of Gaussians, and of their evidence."""

import numpy as np

from skmade._network import evidence
from skmade._network.evidence import Evidence, RankedEvidence
from skmade._prediction import ancestral, holes
from skmade._table import gaussians
from skmade._training.evidence import EvidenceTensors

from .planting import defect, patch

START = "training/test_gaussians.py::test_"


@defect("density", "prediction/test_ancestral.py::test_fast_sampler_equals_the_naive_one")
def draws_without_evidence():
    """Draws choose components as if nothing spoke for them."""

    @patch(ancestral, "relative")
    def nothing(old, found):
        return 0.0 * found


@defect(
    "density",
    "prediction/test_holes.py::test_members_with_evidence_fill_and_score_rows_by_the_equations",
)
def holes_without_evidence():
    """Rows with missing cells are scored as if nothing spoke for components."""

    @patch(holes, "_add_to_evidence")
    def add(old, net, draws, rank, rows):
        return


@defect("density", START + "training_has_the_same_evidence_in_any_order")
def training_sees_the_feature_itself():
    """In training a feature speaks for the components of its own conditional."""

    @patch(EvidenceTensors, "of_cells")
    def of_cells(old, self, values, columns):
        before = self.before
        later = (before + 1).clamp(max=before.shape[1] - 1)
        object.__setattr__(self, "before", later)
        try:
            return old(self, values, columns)
        finally:
            object.__setattr__(self, "before", before)


@defect("density", "test_laws.py::test_probabilities_of_counts_sum_to_one")
def evidence_of_the_feature_itself():
    """The density of a feature's value weighs the components that the value is scored by."""

    @patch(RankedEvidence, "by_feature")
    def by_feature(old, self, units, missing):
        found = old(self, units, missing)
        for rank, feature in enumerate(self.features):
            found[feature] += self.of_rank(rank, units)
        return found


@defect("density", START + "the_start_is_the_density_of_the_mixture")
def evidence_without_volumes():
    """Broad components have as much evidence as narrow ones."""
    Evidence.logs = property(lambda self: np.zeros(self.shifts.shape))


@defect("density", START + "evidence_is_joined_and_told_apart")
def evidence_of_other_members():
    """Members get the evidence of others when ensembles are joined."""

    @patch(evidence, "joined_evidence")
    def joined(old, parts, sizes):
        found = old(parts, sizes)
        return found and found.of_members(slice(None, None, -1))


@defect("density", "table/test_gaussians.py::test_few_or_equal_rows_make_no_spike")
def equal_rows_make_spikes():
    """A component sits on rows that are equal, as narrow as it likes."""

    @patch(gaussians, "_likeliest")
    def likeliest(old, values, share, chances, ridge, n_effective):
        return old(values, share, chances, ridge * 1e-8, n_effective)


@defect("density", "table/test_gaussians.py::test_as_many_are_found_as_there_are")
def components_cost_nothing():
    """There are as many components as there may be."""

    @patch(gaussians, "_penalty")
    def penalty(old, *sizes):
        return 0.0
