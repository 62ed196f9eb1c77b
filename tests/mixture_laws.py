"""Laws of one feature that tests share, and what scipy says of them."""

import numpy as np
from scipy import stats

from skmade._network.conditionals import DiscretisedMixture, MixtureOfGaussians


def mixture_law(n_components, floor=(0.01, 0.5), recurring=((), ()), recurring_scale=((), ())):
    """Return a mixture law; features with fewer values that recur are filled up with NaN."""
    constants = (np.array(c, dtype=np.float64) for c in (floor, recurring, recurring_scale))
    return MixtureOfGaussians(n_components, *constants)


RECURRING = {
    "none": {},
    "of all": {
        "recurring": ((-1.0, 0.5), (2.0, 0.0)),
        "recurring_scale": ((0.01, 0.2), (0.05, 0.02)),
    },
    "of some": {
        "recurring": ((-1.0, 0.5), (2.0, np.nan)),
        "recurring_scale": ((0.01, 0.2), (0.05, np.nan)),
    },
    "of one": {
        "recurring": ((-1.0, 0.5), (np.nan, np.nan)),
        "recurring_scale": ((0.01, 0.2), (np.nan, np.nan)),
    },
}


def count_law(spread, center=3.7, lowest=0.0, n_components=3, n_recurring=0):
    """Return the law of one count whose integers are 1 / spread apart, standardised."""
    constants = [0.1 / spread, -center / spread, 1 / spread, (lowest - center) / spread]
    floor, *others = (np.array([value]) for value in constants)
    recurring = np.array([[(7 - center) / spread, np.nan][:n_recurring]])
    return DiscretisedMixture(
        n_components, floor, recurring, 1e-3 / spread + 0 * recurring, *others
    )


COUNTS = {
    "wide": {"spread": 5.0},
    "wider than its components": {"spread": 0.2},
    "narrow": {"spread": 1000.0},
    "signed": {"spread": 5.0, "lowest": -np.inf},
    "with values that recur": {"spread": 5.0, "n_recurring": 2},
    "from minus ten": {"spread": 2.0, "lowest": -10.0},
}


def log_masses(middle, width):
    """Logarithms of what a standard Gaussian has around points, by scipy."""
    # On the side where neither distribution function is close to one.
    middle = -np.abs(middle)
    upper, lower = stats.norm.logcdf(middle + width / 2), stats.norm.logcdf(middle - width / 2)
    return upper + np.log(-np.expm1(lower - upper))
