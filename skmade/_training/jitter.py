"""Noise that is added to numbers in training, drawn anew for each step.

A network of some hundred thousand weights can learn a few hundred rows by heart. Where rows are
moved a little each time they are seen, it learns the density of moved rows, which is smooth on
that scale (noise regularisation: Rothfuss et al. 2019, arXiv:1907.08982). The scale is what all
other columns leave unexplained of a column, so that the noise hides no relation between columns
that linear regression can see. Where rows lie near curves it is less: no more than a share of
the bandwidth that a kernel density estimate of the same rows would have.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._network.conditionals import Conditional
from .._network.made import MADE
from .._network.mixtures import DiscretisedMixture, MixtureOfGaussians, TruncatedMixture
from .._threads import one_thread_inside
from .regression import shrunk_covariance
from .rows import Rows

Floats = NDArray[np.float64]

# The scale is learned of about this many rows.
MAX_ROWS = 20_000

# Of fewer rows than so many a column, regression explains too much.
MIN_ROWS_A_COLUMN = 2

# Bandwidths that are compared, by about so many rows, and the largest noise as a share of the
# best.
BANDWIDTHS = np.geomspace(0.02, 2.0, 14)
N_COMPARED, SHARE_OF_BANDWIDTH = 500, 0.5


class Jitter:
    """Moves the numbers of rows; counts, labels and cells that hold an atom stay."""

    def __init__(self, made: MADE, rows: Rows, size: float, device: str) -> None:
        laws = [_moved(law) for law, _, _ in made.by_feature()]
        moved = np.array([law is not None for law in laws])
        scales = [
            np.where(moved, noise_scale(made, values, weight, size), 0.0)
            for values, weight in rows.start(MAX_ROWS)
        ]
        edges = np.tile([[-np.inf], [np.inf]], len(laws))
        n_atoms = max([law.n_atoms for law in laws if law is not None], default=0)
        places, widths = np.full((2, len(laws), n_atoms), np.nan)
        for column, law in enumerate(laws):
            if isinstance(law, TruncatedMixture):
                edges[:, column] = law.edges[0]
            if law is not None:
                places[column, : law.n_atoms] = law.atoms[0]
                widths[column, : law.n_atoms] = law.atom_scales[0]

        def tensor(array: Floats) -> Tensor:
            return torch.tensor(array, dtype=torch.float32, device=device)

        self.scales = tensor(np.array(scales)[:, None])  # (M, 1, D)
        self.low, self.high = tensor(edges)
        self.atoms, self.reach = tensor(places), tensor(widths / 2)

    def moved(self, values: Tensor, noise: Tensor, members: NDArray[np.int64]) -> Tensor:
        """Return values (M, n, D) of some members, moved by standard normal noise."""
        steps = noise * self.scales[members]
        if self.atoms.shape[1]:
            is_atom = ((values[..., None] - self.atoms).abs() < self.reach).any(dim=-1)
            steps = steps.masked_fill(is_atom, 0.0)
        # What lies beyond an edge by itself is moved no further, and not back.
        within = (values + steps).clamp(self.low, self.high)
        return torch.where((values < self.low) | (values > self.high), values, within)


def _moved(law: Conditional) -> MixtureOfGaussians | None:
    """Return the law of a feature whose values are moved."""
    if isinstance(law, MixtureOfGaussians) and not isinstance(law, DiscretisedMixture):
        return law
    return None


@one_thread_inside()  # what LAPACK finds depends on the number of its threads
def noise_scale(made: MADE, values: Floats, weight: Floats, size: float) -> Floats:
    """Return the scale of the noise of each column, (D,): a `size` in units, or less."""
    left = left_by_others(made, values, weight)
    numbers = left > 0
    if not numbers.any():
        return left
    scaled = values[:, numbers] / left[numbers]
    return min(size, SHARE_OF_BANDWIDTH * best_bandwidth(scaled, weight)) * left


def best_bandwidth(values: Floats, weight: Floats) -> float:
    """Return the bandwidth of the kernel estimate that predicts each row by the others best.

    Equal rows are one: by others that are equal, the smallest bandwidth would always be best.
    """
    n_present = np.maximum((~np.isnan(values)).sum(axis=0), 1)
    centred = np.nan_to_num(values - np.nansum(values, axis=0) / n_present)
    rows, place = np.unique(centred[weight > 0], axis=0, return_inverse=True)
    share = np.bincount(place, weights=weight[weight > 0])
    chosen = np.random.RandomState(0).permutation(len(rows))[:N_COMPARED]
    rows, share = rows[chosen], share[chosen]
    if len(rows) == 1:
        return float(BANDWIDTHS[0])
    squares = np.square(rows).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0.0)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.min(axis=1)
    beyond = (distances - nearest[:, None]).astype(np.float32)  # half the time of doubles
    scores = []
    for bandwidth in BANDWIDTHS:
        scale = -0.5 / bandwidth**2
        logs = np.log(np.exp(scale * beyond) @ share) + scale * nearest
        scores.append(share @ logs - share.sum() * rows.shape[1] * np.log(bandwidth))
    return float(BANDWIDTHS[np.argmax(scores)])


def left_by_others(made: MADE, values: Floats, weight: Floats) -> Floats:
    """Return the standard deviation of each column (D,) that linear regression leaves of it.

    It is that on all other numbers and labels of two levels.
    """
    present = ~np.isnan(values)
    share = weight / weight.sum()
    center = share @ np.nan_to_num(values) / np.maximum(share @ present, share.min())
    used = [law.n_units == 1 for law, _, _ in made.by_feature()]
    centred = np.where(present, values - center, 0.0)[:, used]
    if 1 / np.square(share).sum() < MIN_ROWS_A_COLUMN * centred.shape[1]:
        covariance = shrunk_covariance(centred, share)
    else:
        # Shrinkage would hide how nearly some columns depend on each other.
        covariance = (centred * share[:, None]).T @ centred + 1e-9 * np.eye(centred.shape[1])
    left = np.zeros(values.shape[1])
    left[used] = np.diag(np.linalg.inv(covariance)) ** -0.5
    return left
