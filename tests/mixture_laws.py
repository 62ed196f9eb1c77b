"""Laws of one feature that tests share, and what scipy says of them."""

import numpy as np
from scipy import stats

from skmade._network.mixtures import DiscretisedMixture, MixtureOfGaussians, TruncatedMixture


def mixture_law(n_components, floor=(0.01, 0.5), atoms=((), ()), atom_scales=((), ())):
    """Return a mixture law; features with fewer atoms are filled up with NaN."""
    constants = (np.array(c, dtype=np.float64) for c in (floor, atoms, atom_scales))
    return MixtureOfGaussians(n_components, *constants)


ATOMS = {
    "none": {},
    "of all": {
        "atoms": ((-1.0, 0.5), (2.0, 0.0)),
        "atom_scales": ((0.01, 0.2), (0.05, 0.02)),
    },
    "of some": {
        "atoms": ((-1.0, 0.5), (2.0, np.nan)),
        "atom_scales": ((0.01, 0.2), (0.05, np.nan)),
    },
    "of one": {
        "atoms": ((-1.0, 0.5), (np.nan, np.nan)),
        "atom_scales": ((0.01, 0.2), (np.nan, np.nan)),
    },
}


def truncated_law(edges=((-1.2, 1.0), (-2.0, np.inf)), n_components=3, **options):
    """Return the law of two features that end, at one side or at both."""
    law = mixture_law(n_components, **options)
    constants = law.floor, law.atoms, law.atom_scales
    return TruncatedMixture(n_components, *constants, np.array(edges, dtype=np.float64))


# The second feature of the last two has all its components far from where it may be.
TRUNCATED = {
    "both ends": {"edges": ((-1.2, 1.0), (-0.5, 3.0))},
    "one end": {"edges": ((-1.2, np.inf), (-np.inf, 0.7))},
    "one end of one": {"edges": ((-np.inf, np.inf), (-0.5, np.inf))},
    "with atoms": {"edges": ((-1.005, 1.0), (-2.0, 2.025)), **ATOMS["of some"]},
    "far above": {"edges": ((-1.2, 1.0), (40.0, np.inf))},
    "far and narrow": {"edges": ((-1.2, 1.0), (-60.0, -59.9))},
}


def count_law(
    spread, center=3.7, lowest=0.0, n_components=3, n_atoms=0, highest=np.inf, codes=()
):
    """Return the law of one count whose integers are 1 / spread apart, standardised."""
    ends = (lowest - center) / spread, (highest - center) / spread
    constants = [0.1 / spread, -center / spread, 1 / spread, *ends]
    floor, *others = (np.array([value]) for value in constants)
    atoms = np.array([[(7 - center) / spread, np.nan][:n_atoms]])
    codes = (np.array([codes], dtype=np.float64) - center) / spread
    return DiscretisedMixture(
        n_components, floor, atoms, 1e-3 / spread + 0 * atoms, *others, codes
    )


COUNTS = {
    "wide": {"spread": 5.0},
    "wider than its components": {"spread": 0.2},
    "narrow": {"spread": 1000.0},
    "signed": {"spread": 5.0, "lowest": -np.inf},
    "with atoms": {"spread": 5.0, "n_atoms": 2},
    "from minus ten": {"spread": 2.0, "lowest": -10.0},
    "up to ten": {"spread": 5.0, "lowest": -np.inf, "highest": 10.0},
    "between two": {"spread": 5.0, "lowest": 1.0, "highest": 9.0},
}

CODED = {
    "of two": {"spread": 1.0, "lowest": -np.inf, "codes": (1.0, 6.0)},
    "neighbours": {"spread": 2.0, "lowest": -np.inf, "codes": (3.0, 4.0, 5.0)},
    "far apart": {"spread": 300.0, "lowest": -np.inf, "codes": (-1000.0, 0.0, 1.0, 999.0)},
    "with atoms": {
        "spread": 5.0,
        "lowest": -np.inf,
        "n_atoms": 2,
        "codes": (2.0, 7.0, 10.0, np.nan),
    },
}


def log_masses(middle, width):
    """Logarithms of what a standard Gaussian has around points, by scipy."""
    # On the side where neither distribution function is close to one.
    middle = -np.abs(middle)
    upper, lower = stats.norm.logcdf(middle + width / 2), stats.norm.logcdf(middle - width / 2)
    return upper + np.log(-np.expm1(lower - upper))
