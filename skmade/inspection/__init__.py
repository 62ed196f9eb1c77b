"""Pictures of density estimators, of any kind where the idea allows, with matplotlib."""

from ._calibration import CalibrationDisplay
from ._conditional import ConditionalDisplay
from ._contribution import ContributionDisplay
from ._density import DensityDisplay
from ._history import TrainingHistoryDisplay
from ._quality import QualityDisplay
from ._sample import SampleDisplay

__all__ = [
    "CalibrationDisplay",
    "ConditionalDisplay",
    "ContributionDisplay",
    "DensityDisplay",
    "QualityDisplay",
    "SampleDisplay",
    "TrainingHistoryDisplay",
]
