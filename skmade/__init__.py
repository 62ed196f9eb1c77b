"""Density estimation for tables with masked autoencoders, in scikit-learn's interface."""

from importlib.metadata import version

from . import datasets, inspection, metrics
from ._density import MADEDensity
from ._imputer import MADEImputer
from ._outlier import MADEOutlierDetector
from ._predictors import MADEClassifier, MADERegressor

__version__ = version("skmade")

__all__ = [
    "MADEClassifier",
    "MADEDensity",
    "MADEImputer",
    "MADEOutlierDetector",
    "MADERegressor",
    "datasets",
    "inspection",
    "metrics",
]
