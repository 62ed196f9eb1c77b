"""Ancestral sampling in the cost of about one pass.

Drawing feature by feature needs the parameters of one feature at a time, and those depend
only on hidden units whose degree is lower than its rank. So the walk goes rank by rank, and
computes each hidden unit once, as soon as the features it may see are drawn (or given: a
cell that is not to be drawn keeps its value).

Products of a few units with many rows are slow. Several ranks are therefore taken together:
what their hidden units and outputs get from before the group comes from one large product,
and only what they get from within it is added rank by rank.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._network.evidence import relative
from .._network.made import MADE, is_large
from .._network.masks import Booleans
from .._network.within import Region, draw_within
from .walk import Buffers, Step, Sums, Walk, add_evidence, compute_hidden, product

Floats = NDArray[np.float64]

# Ranks whose sums from before are computed together.
GROUP_SIZE = 16

# Rows are drawn together whose units take this much memory, so that they stay near the
# processor, but at least so many: every step of the walk has a cost of its own.
CHUNK_BYTES = 2**23
MIN_CHUNK_ROWS = 1500


@dataclass(frozen=True)
class Regions:
    """Where features may be, and the log-weights of rows that are drawn there.

    A row weighs, for each of these features, the mass that its conditional has in the region.
    """

    by_feature: Mapping[int, Region]
    log_weights: Floats  # (n_rows,), to which masses are added
    n_ranks: int  # how many features are drawn, the first in the ordering

    def of_rows(self, rows: slice) -> "Regions":
        """View the weights of some rows."""
        return Regions(self.by_feature, self.log_weights[rows], self.n_ranks)


def chunk_rows(walk: Walk) -> int:
    """How many rows are drawn together."""
    width = len(walk.unit_order) + sum(map(len, walk.hidden)) + walk.n_inputs
    return max(MIN_CHUNK_ROWS, CHUNK_BYTES // (walk.output.itemsize * width))


def sample_values(
    walk: Walk,
    uniforms: Floats,
    given: Floats | None = None,
    drawn: Booleans | None = None,
    regions: Regions | None = None,
) -> Floats:
    """Draw rows of values feature by feature, each hidden unit computed once.

    Parameters
    ----------
    walk : of one rank a step
    uniforms : (n_rows, D), one number in (0, 1) for each cell
    given : (n_rows, D), values of the cells that are not drawn; NaN is missing
    drawn : (n_rows, D), which cells are drawn; None for all
    regions : where features may be, and what that costs the rows

    Returns
    -------
    values : (n_rows, D)
    """
    size = chunk_rows(walk)
    shape = uniforms.shape
    values = np.zeros(shape, order="F") if given is None else given.copy(order="F")
    for start in range(0, len(values), size):
        rows = slice(start, start + size)
        chunk = np.ascontiguousarray(values[rows].T)
        chosen = None if drawn is None else np.ascontiguousarray(drawn[rows].T)
        own = None if regions is None else regions.of_rows(rows)
        _sample_chunk(walk, chunk, np.ascontiguousarray(uniforms[rows].T), chosen, own)
        values[rows] = chunk.T
    return values


def _sample_chunk(
    walk: Walk,
    values: Floats,
    uniforms: Floats,
    drawn: Booleans | None,
    regions: Regions | None,
) -> None:
    """Walk through the ranks, group by group, and fill in the values (D, n)."""
    buffers, evidence, rank = walk.buffers(values.shape[1]), None, 0
    if walk.evidence is not None:
        evidence = np.zeros((walk.evidence.slopes.shape[1], values.shape[1]), walk.output.dtype)
    for start in range(0, len(walk.steps), GROUP_SIZE):
        group = walk.steps[start : start + GROUP_SIZE]
        hidden_sums, output_sums = _sums(walk, group, buffers) if start else (None, None)
        for step in group:
            if regions is not None and rank >= regions.n_ranks:
                return
            compute_hidden(walk, step, buffers, hidden_sums)
            _draw(walk, step, buffers, output_sums, evidence, values, uniforms, drawn, regions)
            _set_units(walk.made, step, buffers.units, values, holes=drawn is not None)
            if walk.evidence is not None and evidence is not None:
                own = walk.evidence.of_rank(rank, buffers.units[1:])
                evidence += np.where(np.isnan(values[step.outputs[0][1]]), 0.0, own)
            rank += 1


def _sums(walk: Walk, group: tuple[Step, ...], buffers: Buffers) -> tuple[list[Sums], Sums]:
    """Compute what a group of steps gets from all that is known before it."""
    first, last = group[0], group[-1]
    known = [first.seen[0], *(1 + rows.start for rows in first.hidden[:-1])]
    below = [buffers.units, *buffers.hidden]
    hidden = []
    for level, (weight, seen) in enumerate(zip(walk.hidden, known, strict=True)):
        rows = slice(first.hidden[level].start, last.hidden[level].stop)
        hidden.append(Sums(rows.start, seen, product(weight, rows, seen, below[level])))
    rows = slice(first.outputs[0][2].start, last.outputs[0][2].stop)
    seen = first.known.start
    outputs = Sums(rows.start, seen, product(walk.output, rows, seen, buffers.inputs))
    return hidden, outputs


def _draw(
    walk: Walk,
    step: Step,
    buffers: Buffers,
    sums: Sums | None,
    evidence: Floats | None,
    values: Floats,
    uniforms: Floats,
    drawn: Booleans | None,
    regions: Regions | None,
) -> None:
    """Draw the feature of a step in the rows in which it is to be drawn."""
    ((law, columns, rows, _),) = step.outputs
    column = columns[0]
    if drawn is not None and not drawn[column].any():
        return
    params = product(walk.output, rows, step.known.stop, buffers.inputs, sums=sums)
    if evidence is not None:
        add_evidence(law, params, relative(evidence))
    if regions is not None and column in regions.by_feature:
        region = regions.by_feature[column]
        values[column], log_mass = draw_within(law, params, region, uniforms[column])
        np.add(regions.log_weights, log_mass, out=regions.log_weights)
        return
    draw = law.sample(params[:, None].astype(np.float64), uniforms[column][None])[0]
    values[column] = draw if drawn is None else np.where(drawn[column], draw, values[column])


def _set_units(made: MADE, step: Step, units: Floats, values: Floats, holes: bool) -> None:
    """Write the units of the feature of a step into their place."""
    ((law, columns, *_),) = step.outputs
    own, value = step.own, values[columns]
    if made.conditioning_weights:
        # The unit that tells whether the cell is there comes before those of large features.
        large = is_large(law)
        units[own.start if large else own.stop - 1] = ~np.isnan(value)
        own = slice(own.start + large, own.stop - (not large))
    units[own] = law.units(value)[0]
    if holes:
        np.nan_to_num(units[own], copy=False)
