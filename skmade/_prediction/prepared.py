"""Paths made ready for prediction once, and kept as long as their ensemble is.

A path is a member with one of its masks. Paths are counted member by member.
"""

from weakref import WeakKeyDictionary

import numpy as np

from .._network.ensemble import Ensemble
from .._network.evidence import RankedEvidence
from .._network.masks import Integers
from .holes import Network, sort_weights
from .walk import Walk, prepare, scoring_ends

# Prepared weights are kept up to this size; of very many masks they are made at each use.
MAX_PREPARED_BYTES = 2**28

# The walks of each ensemble, by path, number of steps and precision.
_WALKS: WeakKeyDictionary[Ensemble, dict[tuple[int, int, type], Walk]] = WeakKeyDictionary()

# What rows with holes walk through, by path.
_NETWORKS: WeakKeyDictionary[Ensemble, dict[int, Network]] = WeakKeyDictionary()

# The members of ensembles, each as an ensemble of its own.
_MEMBERS: WeakKeyDictionary[Ensemble, list[Ensemble]] = WeakKeyDictionary()


def one_by_one(ensemble: Ensemble) -> list[Ensemble]:
    """Return the members, each as an ensemble of its own."""
    if ensemble not in _MEMBERS:
        alone = range(len(ensemble.weights))
        _MEMBERS[ensemble] = [ensemble.of_members(slice(m, m + 1)) for m in alone]
    return _MEMBERS[ensemble]


def scorer(ensemble: Ensemble, path: int) -> Walk:
    """Return a path as it scores rows."""
    return _walk(ensemble, path, scoring_ends(ensemble.table.n_features), np.float64)


def sampler(ensemble: Ensemble, path: int, dtype: type = np.float64) -> Walk:
    """Return a path as it draws rows."""
    return _walk(ensemble, path, np.arange(1, ensemble.table.n_features + 1), dtype)


def _walk(ensemble: Ensemble, path: int, ends: Integers, dtype: type) -> Walk:
    """Prepare a walk, and keep it if all of its kind fit in memory.

    Threads that do so at the same time prepare equal ones.
    """
    kept, key = _WALKS.setdefault(ensemble, {}), (path, len(ends), dtype)
    if key in kept:
        return kept[key]
    m, k = divmod(path, ensemble.ranks.shape[1])
    degrees = [layer[m, k] for layer in ensemble.degrees]
    walk = prepare(
        ensemble.made,
        ensemble.weights[m],
        ensemble.ranks[m, k],
        degrees,
        ends,
        dtype,
        _evidence(ensemble, m, k),
    )
    if 8 * ensemble.n_paths * ensemble.weights.shape[1] <= MAX_PREPARED_BYTES:
        kept[key] = walk
    return walk


def network(ensemble: Ensemble, path: int) -> Network:
    """Return a path as rows with holes walk through it, in any ordering."""
    kept = _NETWORKS.setdefault(ensemble, {})
    if path in kept:
        return kept[path]
    m, k = divmod(path, ensemble.ranks.shape[1])
    degrees = [layer[m, k] for layer in ensemble.degrees]
    evidence = _evidence(ensemble, m, k)
    made = sort_weights(ensemble.made, ensemble.weights[m], degrees, evidence)
    if 8 * ensemble.n_paths * ensemble.weights.shape[1] <= MAX_PREPARED_BYTES:
        kept[path] = made
    return made


def _evidence(ensemble: Ensemble, m: int, k: int) -> RankedEvidence | None:
    """Return the evidence of a member with one of its masks."""
    if ensemble.evidence is None:
        return None
    return ensemble.evidence.of_path(m, ensemble.ranks[m, k])


def same_networks(ensemble: Ensemble) -> Integers:
    """Return the first path with the same weights and degrees as each path, (n_paths,)."""
    degrees = np.concatenate(ensemble.degrees, axis=2)
    same = (degrees[:, :, None] == degrees[:, None]).all(axis=3)  # (M, K, K)
    n_members, n_masks = same.shape[:2]
    return (same.argmax(axis=2) + n_masks * np.arange(n_members)[:, None]).ravel()
