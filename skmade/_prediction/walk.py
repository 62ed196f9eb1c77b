"""A member's network as a walk along its ordering, in numpy: scores now, draws in `ancestral`.

With units sorted by rank and hidden units by degree, what becomes known with consecutive
ranks are neighbouring units in every layer, and all that these may see is a prefix of the
layer below. So a walk of few steps leaves out most of what masks set to zero, and a walk
of one rank a step computes every hidden unit once, as soon as the features it may see are
there. Rows run along the last axis.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from .._network.conditionals import Conditional
from .._network.evidence import RankedEvidence
from .._network.made import MADE
from .._network.masks import Booleans, Integers
from .._network.mixtures import MixtureOfGaussians
from .._network.special import softplus

Floats = NDArray[np.float64]

# A pass over all features is cut into about so many steps: more leave out more zeros, but
# their matrix products are smaller.
N_SCORING_STEPS = 4

# Rows are computed together whose intermediate results take this much memory: they stay
# near the processor, and matrix products are large enough.
CHUNK_BYTES = 2**24
MIN_CHUNK_ROWS = 64


def _set_softplus(hidden: Floats) -> None:
    softplus(hidden, out=hidden)


# Activations in place.
ACTIVATIONS: dict[str, Callable[[Floats], Any]] = {
    "relu": lambda hidden: np.maximum(hidden, 0.0, out=hidden),
    "tanh": lambda hidden: np.tanh(hidden, out=hidden),
    "logistic": lambda hidden: expit(hidden, out=hidden),
    "softplus": _set_softplus,
    "identity": lambda hidden: hidden,
}


@dataclass(frozen=True)
class Step:
    """Consecutive ranks lo + 1 .. hi: their features, and what has to be known before them.

    Those are hidden units of the degrees lo .. hi - 1 and units of these ranks. Line 0 of
    every buffer is a constant 1, whose weights are the biases.
    """

    # law, columns, outputs (feature by feature), and their lines among the parameters
    outputs: tuple[tuple[Conditional, Integers, slice, slice], ...]
    hidden: tuple[slice, ...]  # units of each hidden layer
    seen: tuple[int, ...]  # how much of the buffer below each hidden layer sees
    units: slice  # lines of the buffer of units that outputs see directly
    known: slice  # lines of the buffer of outputs' inputs that are new: units, then hidden
    own: slice  # lines of the buffer of units that the step's own features fill


@dataclass(frozen=True)
class Walk:
    """One member with one mask: sorted weights without what the mask sets to zero.

    The outputs' inputs are a buffer of their own, with units and last hidden units in turn,
    step by step, so that one product serves output and direct weights. Of four features in
    two steps it is::

               |    new in step 1     |        new in step 2        |
        +------+---------+------------+------------+----------------+
        | 1    | unit of | hidden of  | units of   | hidden of      |
        | bias | rank 1  | degree 1   | ranks 2, 3 | degrees 2, 3   |
        +------+---------+------------+------------+----------------+
        |<-- outputs of ranks 1, 2 -->|
        |<-- outputs of ranks 3, 4 ---------------------------------->|

    Outputs of a step are computed from all up to the end of what is new in it. Where the mask
    shows less, as to the output of rank 1, which sees its bias alone, the other weights are
    zero. The unit of rank 4 is not there, as no output may see it; without direct connections
    no unit is.
    """

    made: MADE
    hidden: tuple[Floats, ...]  # (n_out, 1 + n_in) of each hidden layer
    output: Floats  # (n_outputs, 1 + inputs), sorted by step
    unit_order: Integers  # (n_units,), positions of units by rank
    steps: tuple[Step, ...]
    # Law and columns of each kind, in the order of the walk, as are the lines of parameters.
    kinds: tuple[tuple[Conditional, Integers], ...]
    evidence: RankedEvidence | None

    @property
    def n_inputs(self) -> int:
        """Lines of the buffer that outputs are computed from."""
        return self.output.shape[1]

    def buffers(self, n_rows: int, n_params: int = 0) -> "Buffers":
        """Return room for what a walk computes of some rows."""
        # One piece of memory: many of some hundred kilobytes go back to the system, and come
        # from it again as empty pages, at each use.
        sizes = (*self.sizes, n_params)
        room = np.empty((sum(sizes), n_rows), self.output.dtype)
        lines, end = [], 0
        for size in sizes:
            lines.append(room[end : end + size])
            lines[-1][:1] = 1.0
            end += size
        return Buffers(lines[0], lines[1:-2], *lines[-2:])

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Lines of each buffer."""
        hidden = (1 + len(weight) for weight in self.hidden[:-1])
        return 1 + len(self.unit_order), *hidden, self.n_inputs

    def chunk_rows(self) -> int:
        """How many rows are computed together."""
        width = sum(self.sizes) + len(self.output)
        return max(MIN_CHUNK_ROWS, CHUNK_BYTES // (8 * width))


@dataclass(frozen=True)
class Buffers:
    """What is known of some rows, in the order of the walk; line 0 is the constant 1."""

    units: Floats
    hidden: list[Floats]  # of all hidden layers but the last
    inputs: Floats  # of the outputs
    params: Floats  # all outputs, feature by feature of each kind


@dataclass(frozen=True)
class Sums:
    """What units of a layer get from the first inputs, computed ahead."""

    first: int  # unit of the layer
    seen: int  # number of inputs
    values: Floats  # (units, n)


@dataclass(frozen=True)
class Rows:
    """Some rows as every path sees them."""

    values: Floats  # (D, n), 0 where missing
    missing: Booleans | None  # (D, n), None where nothing is
    units: Floats  # (n_units, n)
    room: dict[tuple[int, ...], Buffers]  # what a walk fills, for the next one of these sizes

    def buffers(self, walk: Walk) -> Buffers:
        """Return buffers that hold these rows' units in the order of the walk."""
        buffers = self.room.get(walk.sizes)
        if buffers is None:
            room = walk.buffers(self.values.shape[1], len(walk.output))
            buffers = self.room[walk.sizes] = room
        np.take(self.units, walk.unit_order, axis=0, out=buffers.units[1:])
        return buffers


def enter(walk: Walk, values: Floats) -> list[Rows]:
    """Turn values (n, D) into what all walks of an ensemble begin with, chunk by chunk."""
    n_rows = max(len(values), 1)
    size = math.ceil(n_rows / math.ceil(n_rows / walk.chunk_rows()))
    chunks = []
    for start in range(0, n_rows, size):
        by_feature = np.ascontiguousarray(values[start : start + size].T)
        missing = np.isnan(by_feature)
        holes = bool(missing.any())
        known = np.where(missing, 0.0, by_feature) if holes else by_feature
        units = walk.made.units(by_feature)
        chunks.append(Rows(known, missing if holes else None, units, {}))
    return chunks


def feature_log_prob(walk: Walk, values: Floats) -> Floats:
    """Log-probability of each feature given those before it, (n, D); 0 if missing."""
    parts = [_feature_log_prob(walk, rows) for rows in enter(walk, values)]
    return np.ascontiguousarray(np.concatenate(parts, axis=1).T)


def log_prob(walk: Walk, values: Floats) -> Floats:
    """Log p(values) in nats, (n,), of values (n, D)."""
    return log_prob_of(walk, enter(walk, values))


def log_prob_of(walk: Walk, chunks: list[Rows]) -> Floats:
    """Log p(rows) in nats, (n,)."""
    logs = [_feature_log_prob(walk, rows).sum(axis=0) for rows in chunks]
    return logs[0] if len(logs) == 1 else np.concatenate(logs)


def _feature_log_prob(walk: Walk, rows: Rows) -> Floats:
    """Log-probabilities (D, n)."""
    parts = np.empty_like(rows.values)
    for law, columns, params in _conditionals(walk, rows):
        parts[columns] = law.log_prob_once(params, rows.values[columns])
    if rows.missing is not None:
        parts[rows.missing] = 0.0
    return parts


def _conditionals(walk: Walk, rows: Rows) -> Iterator[tuple[Conditional, Integers, Floats]]:
    """Compute law, columns and parameters (n_params, F, n) of each kind of feature."""
    buffers = rows.buffers(walk)
    for step in walk.steps:
        compute_hidden(walk, step, buffers)
        for _, _, outputs, place in step.outputs:
            product(
                walk.output, outputs, step.known.stop, buffers.inputs, buffers.params[place]
            )
    evidence = None
    if walk.evidence is not None:
        evidence = walk.evidence.by_feature(buffers.units[1:], rows.missing)
    start = 0
    # Once for all features of a kind: threads wait for each other between small operations.
    for law, columns in walk.kinds:
        end = start + len(columns) * law.n_params
        params = buffers.params[start:end].reshape(len(columns), law.n_params, -1)
        params = params.swapaxes(0, 1)
        if evidence is not None:
            add_evidence(law, params, evidence[columns].swapaxes(0, 1))
        yield law, columns, params
        start = end


def parameters_of(walk: Walk, values: Floats, column: int) -> Floats:
    """Parameters (n_params, n) of one column's conditional, of values (n, D)."""
    found = []
    for rows in enter(walk, values):
        for _, columns, params in _conditionals(walk, rows):
            own = np.flatnonzero(columns == column)
            if len(own):
                found.append(params[:, own[0]].copy())
    return np.concatenate(found, axis=1)


def components_of_numbers(walk: Walk, values: Floats) -> tuple[Floats, Floats, Floats]:
    """Means, scales and shares (n, D, K) of the components of each number; else NaN."""
    found = []
    for rows in enter(walk, values):
        parts = None
        for law, columns, params in _conditionals(walk, rows):
            if isinstance(law, MixtureOfGaussians):
                own = np.stack(law.components(params))
                if parts is None:
                    parts = np.full((3, own.shape[1], *rows.values.shape), np.nan)
                parts[:, :, columns] = own
        assert parts is not None
        found.append(parts)
    means, scales, shares = np.concatenate(found, axis=3).transpose(0, 3, 2, 1)
    return means, scales, shares


def add_evidence(law: Conditional, params: Floats, evidence: Floats) -> None:
    """Add the evidence (K, ...) for the components of mixtures to their logits."""
    assert isinstance(law, MixtureOfGaussians)
    params[law.parameters.logits] += evidence


def compute_hidden(
    walk: Walk, step: Step, buffers: Buffers, sums: Sequence[Sums] | None = None
) -> None:
    """Fill in what a step's outputs see beyond what was seen before."""
    activate = ACTIVATIONS[walk.made.activation]
    n_direct = step.units.stop - step.units.start
    first_hidden = step.known.start + n_direct
    buffers.inputs[step.known.start : first_hidden] = buffers.units[step.units]
    below = buffers.units
    for level, (weight, rows, seen) in enumerate(
        zip(walk.hidden, step.hidden, step.seen, strict=True)
    ):
        if rows.start == rows.stop:
            below = buffers.hidden[level] if level < len(buffers.hidden) else below
            continue
        own = slice(1 + rows.start, 1 + rows.stop)
        if level < len(buffers.hidden):
            target = buffers.hidden[level][own]
        else:
            target = buffers.inputs[first_hidden : step.known.stop]
        product(weight, rows, seen, below, target, None if sums is None else sums[level])
        activate(target)
        if walk.made.skips(level):
            target += below[own]
        below = buffers.hidden[level] if level < len(buffers.hidden) else below


def product(
    weight: Floats,
    rows: slice,
    seen: int,
    below: Floats,
    target: Floats | None = None,
    sums: Sums | None = None,
) -> Floats:
    """Return the sums over the first inputs that some units of a layer see."""
    if sums is None:
        return np.matmul(weight[rows, :seen], below[:seen], out=target)
    own = sums.values[rows.start - sums.first : rows.stop - sums.first]
    target = np.matmul(weight[rows, sums.seen : seen], below[sums.seen : seen], out=target)
    target += own
    return target


def scoring_ends(n_features: int) -> Integers:
    """Return the last rank of each step of a walk that scores."""
    n_steps = min(N_SCORING_STEPS, n_features)
    return np.arange(1, n_steps + 1) * n_features // n_steps


def prepare(
    made: MADE,
    flat: NDArray[Any],
    ranks: Integers,
    degrees: Sequence[Integers],
    ends: Integers,
    dtype: type = np.float64,
    evidence: RankedEvidence | None = None,
) -> Walk:
    """Sort and mask a member's weights for a walk.

    Parameters
    ----------
    made : the network's shape
    flat : (n_weights,)
    ranks : (n_features,)
    degrees : (n_units,) for each hidden layer
    ends : the last rank of each step
    dtype : the precision of the walk
    evidence : of the member, if it has any
    """
    weights = made.unflatten(np.asarray(flat, dtype=dtype))
    masks = made.masks(ranks, degrees)
    unit_ranks = ranks[made.unit_features]
    unit_order = np.argsort(unit_ranks, kind="stable")
    orders = [unit_order, *(np.argsort(layer, kind="stable") for layer in degrees)]
    levels = range(len(degrees))
    hidden = tuple(
        _with_bias(weights[f"weight{h}"] * masks[h], weights[f"bias{h}"])[orders[h + 1]][
            :, np.append(0, 1 + orders[h])
        ]
        for h in levels
    )
    sides = [np.sort(unit_ranks), *(np.sort(layer) for layer in degrees)]
    outputs, kinds, output_order = _outputs(made, ranks, ends)
    steps, input_order = _steps(made, sides, orders, ends, outputs)
    depth = len(degrees)
    output = _with_bias(weights[f"weight{depth}"] * masks[depth], weights[f"bias{depth}"])
    direct: Floats = np.zeros((len(output), len(unit_ranks)), dtype)
    if "direct" in weights:
        n_outputs, n_units = made.n_direct
        direct[:n_outputs, :n_units] = weights["direct"] * masks[-1]
    together = np.concatenate([output, direct], axis=1)
    output = together[output_order][:, input_order]
    evidence = evidence and evidence.astype(dtype)
    return Walk(made, hidden, output, unit_order, steps, kinds, evidence)


def _with_bias(weight: Floats, bias: Floats) -> Floats:
    return np.concatenate([bias[:, None], weight], axis=1)


def _steps(
    made: MADE,
    sides: Sequence[Integers],
    orders: Sequence[Integers],
    ends: Integers,
    outputs: Sequence[tuple[tuple[Conditional, Integers, slice, slice], ...]],
) -> tuple[tuple[Step, ...], Integers]:
    """Return the steps and the order of the outputs' inputs.

    `sides` are ranks of units and degrees of hidden units, sorted; `orders` sort them. In the
    inputs' order 0 is the bias, then come the last hidden units, then the units.
    """
    starts = np.append(0, ends[:-1])
    # Where ranks or degrees from lo on begin, and those up to hi - 1 end.
    first = [np.searchsorted(side, starts, side="left") for side in sides]
    last = [np.searchsorted(side, ends - 1, side="right") for side in sides]
    own_first = np.searchsorted(sides[0], starts, side="right")
    own_last = np.searchsorted(sides[0], ends, side="right")
    n_last = len(sides[-1])
    steps, input_order, place_in = [], [np.zeros(1, dtype=np.int64)], 1
    for s in range(len(ends)):
        seen_units = slice(first[0][s], last[0][s] if made.direct_connections else first[0][s])
        hidden = tuple(slice(f[s], e[s]) for f, e in zip(first[1:], last[1:], strict=True))
        own_inputs = [1 + orders[-1][hidden[-1]]]
        own_inputs.insert(0, 1 + n_last + orders[0][seen_units])
        input_order += own_inputs
        n_new = sum(map(len, own_inputs))
        steps.append(
            Step(
                outputs=outputs[s],
                hidden=hidden,
                seen=(1 + last[0][s], *(1 + end[s] for end in last[1:-1])),
                units=slice(1 + seen_units.start, 1 + seen_units.stop),
                known=slice(place_in, place_in + n_new),
                own=slice(1 + own_first[s], 1 + own_last[s]),
            )
        )
        place_in += n_new
    return tuple(steps), np.concatenate(input_order)


def _outputs(made: MADE, ranks: Integers, ends: Integers) -> tuple[Any, Any, Integers]:
    """Return the outputs of each step, the kinds in the order of the walk, and the outputs'."""
    numbers = _outputs_of_groups(made)
    places = np.cumsum([0, *(of_group.size for of_group in numbers)]).tolist()
    pieces: list[list[tuple[Conditional, Integers, slice, slice]]] = [[] for _ in ends]
    chosen: list[list[Integers]] = [[] for _ in numbers]
    order: list[Integers] = []
    start = 0
    for lo, hi, of_step in zip(np.append(0, ends[:-1]), ends, pieces, strict=True):
        for g, (law, columns) in enumerate(made.groups):
            own = np.flatnonzero((ranks[columns] > lo) & (ranks[columns] <= hi))
            if len(own):
                order.append(numbers[g][own].ravel())  # feature by feature
                size = len(order[-1])
                lines, place = slice(start, start + size), slice(places[g], places[g] + size)
                of_step.append((law.at(own), columns[own], lines, place))
                chosen[g].append(own)
                start, places[g] = lines.stop, place.stop
    orders = map(np.concatenate, chosen)
    kinds = tuple(
        (law.at(own), columns[own])
        for (law, columns), own in zip(made.groups, orders, strict=True)
    )
    return tuple(map(tuple, pieces)), kinds, np.concatenate(order)


def _outputs_of_groups(made: MADE) -> list[Integers]:
    """Positions of the outputs of each group, (n_columns, n_params)."""
    found, start = [], 0
    for law, columns in made.groups:
        size = len(columns) * law.n_params
        found.append(np.arange(start, start + size).reshape(len(columns), law.n_params))
        start += size
    return found
