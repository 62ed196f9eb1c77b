"""Scores of density estimators, and of rows that any sampler has drawn."""

# The class too: scorers that were pickled name it here.
from ._detection import c2st
from ._likelihood import _MeanLogLikelihood, mean_log_likelihood
from ._nearest import nearer_share
from ._usefulness import train_on_synthetic

__all__ = ["c2st", "mean_log_likelihood", "nearer_share", "train_on_synthetic"]

_MeanLogLikelihood.__module__ = __name__
