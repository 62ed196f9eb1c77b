"""Rows with holes, walked through together, each in an ordering of its own.

What is not known yet enters as zeros. So a walk of one rank a step needs no mask: hidden units
of a degree are computed, from all units there are, once as many features are known, and an
output is computed from all that is there before its feature is. On the way each observed cell
is scored, and each cell that is to be drawn is drawn. Up to the first of these all draws of a
row are one. Draws that explain what is observed so far hardly at all are given up for copies
of those that do, before they go on (a particle filter, Gordon et al. 1993). Whatever is chosen,
it depends on the cells so far alone, and the next cell's law is an average of its conditionals:
so the density sums to one.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._network.conditionals import Conditional
from .._network.evidence import RankedEvidence, relative
from .._network.made import MADE, is_large
from .._network.masks import Booleans, Integers
from .._network.special import log_sum_exp
from .walk import ACTIVATIONS, add_evidence

Floats = NDArray[np.float64]

# Columns, rows or draws of them, that are computed together, and the memory they take at most:
# they stay near the processor.
CHUNK_COLUMNS, CHUNK_BYTES = 2048, 2**23

# The draws of a row are chosen anew if no larger share of them counts.
MIN_EFFECTIVE_SHARE = 0.5


@dataclass(frozen=True)
class Network:
    """A member with the degrees of one of its masks, for any ordering of the features.

    Hidden units are sorted by degree. Outputs are computed from lines of one buffer: units
    without direct connections, which only hidden units see, a constant 1, whose weights are
    the biases, units with direct connections, and the last hidden units.
    """

    made: MADE
    hidden: tuple[Floats, ...]  # (n_out, 1 + n_in) of each hidden layer
    outputs: tuple[Floats, ...]  # (n_params, 1 + direct units + last hidden) of each feature
    units: tuple[Integers, ...]  # lines of each feature's units, the one of presence last
    ends: tuple[Integers, ...]  # of each hidden layer, (D,): how many degrees are at most d
    laws: Integers  # (D,), which group a feature is in
    positions: Integers  # (D,), and where in it
    bias: int  # the line of the constant
    first_hidden: int  # the line of the first hidden unit
    evidence: RankedEvidence | None  # in the one ordering of a member that has any

    def n_columns(self) -> int:
        """How many columns are computed together."""
        width = self.first_hidden + sum(map(len, self.hidden)) + 2 * len(self.laws)
        return max(1, min(CHUNK_COLUMNS, CHUNK_BYTES // (8 * width)))

    def n_known(self, rank: int) -> list[int]:
        """How many lines are known before a rank: of the hidden layers but the last, inputs."""
        ends = [int(own[rank - 1]) if rank else 0 for own in self.ends]
        return [*(1 + end for end in ends[:-1]), self.first_hidden + ends[-1]]


def sort_weights(
    made: MADE,
    flat: NDArray[np.float32],
    degrees: list[Integers],
    evidence: RankedEvidence | None = None,
) -> Network:
    """Sort a member's weights by degree, for rows with holes."""
    weights = made.unflatten(np.asarray(flat, dtype=np.float64))
    n_direct = made.n_direct[1] * made.direct_connections
    bias = len(made.unit_features) - n_direct
    lines = np.append(bias + 1 + np.arange(n_direct), np.arange(bias))
    orders = [np.argsort(layer, kind="stable") for layer in degrees]
    hidden = []
    for level, order in enumerate(orders):
        weight, column = weights[f"weight{level}"], weights[f"bias{level}"][:, None]
        parts = [weight[:, n_direct:], column, weight[:, :n_direct]]
        if level:
            parts = [column, weight[:, orders[level - 1]]]
        hidden.append(np.concatenate(parts, axis=1)[order])
    outputs, units = [], []
    last, biases = weights[f"weight{len(orders)}"], weights[f"bias{len(orders)}"]
    for feature, (law, own, places) in enumerate(made.by_feature()):
        direct = np.zeros((law.n_params, n_direct))
        if n_direct and not is_large(law):
            direct[:] = weights["direct"][own]
        parts = [biases[own, None], direct, last[own][:, orders[-1]]]
        outputs.append(np.concatenate(parts, axis=1))
        present = [made.present_units.start + feature] * made.conditioning_weights
        units.append(lines[[*range(places.start, places.stop), *present]])
    group, position = np.empty((2, made.n_features), dtype=np.int64)
    for number, (_, columns) in enumerate(made.groups):
        group[columns], position[columns] = number, np.arange(len(columns))
    ends = [np.searchsorted(np.sort(d), np.arange(made.n_features), "right") for d in degrees]
    return Network(
        made,
        tuple(hidden),
        tuple(outputs),
        tuple(units),
        tuple(ends),
        group,
        position,
        bias,
        first_hidden=bias + 1 + n_direct,
        evidence=evidence,
    )


@dataclass(frozen=True)
class _Draws:
    """What is known of R rows in J draws, (..., R, J); or of rows that are one draw as yet."""

    inputs: Floats  # lines of the buffer of the outputs
    hidden: tuple[Floats, ...]  # of all hidden layers but the last, after a constant 1
    evidence: Floats  # of the features so far, for each component; no lines if there is none
    values: Floats  # of the features, as the following
    log_probs: Floats
    log_weights: Floats  # of the row so far, one line
    origins: Floats  # which of the first draws each goes back to, one line

    @classmethod
    def of(cls, net: Network, values: Floats, n_draws: int) -> "_Draws":
        """Return rows (D, R) of which the network knows nothing."""
        shape = values.shape[1], n_draws
        inputs = np.zeros((net.bias + net.outputs[0].shape[1], *shape))
        hidden = tuple(np.zeros((1 + len(weight), *shape)) for weight in net.hidden[:-1])
        for buffer, line in ((inputs, net.bias), *((below, 0) for below in hidden)):
            buffer[line] = 1.0
        filled = np.repeat(values[..., None], n_draws, axis=2)
        log_weights, origins = np.zeros((2, 1, *shape))
        n_components = 0 if net.evidence is None else net.evidence.slopes.shape[1]
        evidence = np.zeros((n_components, *shape))
        logs = np.zeros(filled.shape)
        return cls(inputs, hidden, evidence, filled, logs, log_weights, origins)

    def rows(self, start: int, stop: int) -> "_Draws":
        """View some of the rows."""
        own = slice(start, stop)
        return _Draws(
            self.inputs[:, own],
            tuple(layer[:, own] for layer in self.hidden),
            self.evidence[:, own],
            *(array[:, own] for array in self.answers()),
        )

    def begin(self, single: "_Draws", n_known: Sequence[int]) -> None:
        """Let each draw go on from its row; so many lines are known."""
        own = (*self.known(n_known), *self.answers())
        theirs = (*single.known(n_known), *single.answers())
        for array, one in zip(own, theirs, strict=True):
            array[...] = one
        self.origins[...] = np.arange(self.origins.shape[2])

    def choose(self, rows: Integers, n_known: Sequence[int]) -> None:
        """Let the draws of rows go on in proportion to their weights, where few count."""
        logs = self.log_weights[0, rows].T
        n_draws = len(logs)
        total = log_sum_exp(logs)
        chances = np.exp(logs - total).T
        few = np.square(chances).sum(axis=1) * n_draws * MIN_EFFECTIVE_SHARE > 1
        rows, chances, total = rows[few], chances[few], total[few]
        if len(rows) == 0:
            return
        ends = np.floor(chances.cumsum(axis=1) * n_draws + 0.5)
        ends[:, -1] = n_draws
        n_each = np.diff(ends, axis=1, prepend=0.0).astype(np.int64)
        parents = np.repeat(np.tile(np.arange(n_draws), len(rows)), n_each.ravel())
        columns = (rows[:, None] * n_draws + parents.reshape(len(rows), -1)).ravel()
        by_feature = np.einsum("drj,rj->dr", self.log_probs[:, rows], chances)
        for array in (*self.known(n_known), self.values, self.origins):
            chosen = _lines(array).take(columns, axis=1)
            array[:, rows] = chosen.reshape(len(array), len(rows), n_draws)
        self.log_probs[:, rows] = by_feature[..., None]
        self.log_weights[0, rows] = (total - math.log(n_draws))[:, None]

    def known(self, n_known: Sequence[int]) -> list[Floats]:
        """View the lines of the network that are known."""
        layers = (*self.hidden, self.inputs)
        lines = [layer[:n] for layer, n in zip(layers, n_known, strict=True)]
        return [*lines, self.evidence]

    def answers(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Return what a walk is for."""
        return self.values, self.log_probs, self.log_weights, self.origins


def walk_rows(
    net: Network,
    values: Floats,
    drawn: Booleans,
    order: Integers,
    uniforms: Floats,
    to_end: bool,
) -> list[Floats]:
    """Score the observed cells of rows, and draw others.

    Parameters
    ----------
    values : (n, D); NaN is missing
    drawn : (n, D), which of the missing cells are drawn
    order : (n, D), the features by rank, in each row
    uniforms : (n, J, D), J numbers in (0, 1) for the first cell of a row that is drawn, ...
    to_end : whether cells are drawn, too, on which no observed one depends

    Returns
    -------
    filled : (n, J, D)
    log_probs : (n, J, D), of observed cells given those before them; else 0
    log_weights : (n, J, 1), whose mean is the density of the observed cells
    origins : (n, J, 1), which first draw each draw goes back to
    """
    known = np.take_along_axis(~np.isnan(values), order, axis=1)
    drawn = np.take_along_axis(drawn, order, axis=1)
    if not to_end:
        drawn &= np.logical_or.accumulate(known[:, ::-1], axis=1)[:, ::-1]
    n_rows, n_features = values.shape
    answers = [np.empty((*uniforms.shape[:2], size)) for size in (n_features, n_features, 1, 1)]
    first = np.where(drawn.any(axis=1), drawn.argmax(axis=1), n_features)
    in_turn = np.argsort(first, kind="stable")
    start = 0
    while start < n_rows:
        n_draws = uniforms.shape[1] if first[in_turn[start]] < n_features else 1
        rows = in_turn[start : start + max(1, net.n_columns() // n_draws)]
        by_rank = (order[rows].T, known[rows].T, drawn[rows].T)
        walk = _RowWalk(net, values[rows], *by_rank, uniforms[rows])
        for answer, own in zip(answers, walk.through(first[rows]), strict=True):
            answer[rows] = own
        start += len(rows)
    return answers


@dataclass(frozen=True)
class _RowWalk:
    """A walk of R rows through the ranks."""

    net: Network
    values: Floats  # (R, D)
    order: Integers  # (D, R), features by rank, as the following
    known: Booleans  # what is observed
    drawn: Booleans
    uniforms: Floats  # (R, J, D), by cell that is drawn

    def through(self, first: Integers) -> list[Floats]:
        """Walk through all ranks; rows are sorted by that of their first draw."""
        n_features, n_draws = len(self.order), self.uniforms.shape[1]
        n_drawn = int((first < n_features).sum())
        single = _Draws.of(self.net, self.values.T, 1)
        draws = _Draws.of(self.net, self.values[:n_drawn].T, n_draws)
        for rank in range(n_features):
            begun, now = np.searchsorted(first, [rank, rank + 1])
            draws.rows(begun, now).begin(single.rows(begun, now), self.net.n_known(rank))
            self._step(draws.rows(0, now), rank, 0)
            self._step(single.rows(now, len(first)), rank, now)
        answers = []
        for alone, drawn in zip(single.answers(), draws.answers(), strict=True):
            every = np.repeat(alone, n_draws, axis=2)
            every[:, :n_drawn] = drawn
            answers.append(every.transpose(1, 2, 0))
        return answers

    def _step(self, draws: _Draws, rank: int, offset: int) -> None:
        """Score or draw the features of a rank; the first of the rows is that at `offset`."""
        rows = slice(offset, offset + draws.values.shape[1])
        if rows.start == rows.stop:
            return
        features = self.order[rank, rows]
        known, drawn = self.known[rank, rows], self.drawn[rank, rows]
        if draws.values.shape[2] > 1 and drawn.any():
            draws.choose(np.flatnonzero(drawn), self.net.n_known(rank))
        _compute_hidden(self.net, draws, rank)
        done = np.flatnonzero(known | drawn)
        for found in _conditionals(self.net, draws, rank, features, done):
            is_drawn = drawn[found.places]
            if not is_drawn.all():
                law, cells, params = found.some(~is_drawn)
                logs = law.log_prob(params, draws.values[cells])
                draws.log_probs[cells] = logs
                draws.log_weights[0, cells[1]] += logs
            if is_drawn.any():
                law, cells, params = found.some(is_drawn)
                places = offset + cells[1]
                uniforms = self.uniforms[places, :, self.drawn[:rank, places].sum(axis=0)]
                draws.values[cells] = law.sample(params, uniforms)
        for feature, own in _by_feature(features, done):
            _set_units(self.net, draws, feature, own)
            _add_to_evidence(self.net, draws, rank, own)


@dataclass(frozen=True)
class _Conditionals:
    """What the network says of some rows' next features, which have laws of one kind."""

    law: Conditional
    features: Integers
    places: Integers  # the rows
    params: Floats  # (n_params, rows, J)

    def some(self, chosen: Booleans) -> tuple[Conditional, tuple[Integers, Integers], Floats]:
        """Return the law, the cells and the parameters of some of the rows."""
        if chosen.all():
            return self.law, (self.features, self.places), self.params
        cells = self.features[chosen], self.places[chosen]
        return self.law.at(chosen), cells, self.params[:, chosen]


def _by_feature(features: Integers, rows: Integers) -> Iterator[tuple[int, Integers]]:
    """Group rows by their feature."""
    if len(rows) == 0:
        return
    if (features[rows] == features[rows[0]]).all():
        yield int(features[rows[0]]), rows
        return
    in_turn = rows[np.argsort(features[rows], kind="stable")]
    distinct, starts = np.unique(features[in_turn], return_index=True)
    yield from zip(distinct.tolist(), np.split(in_turn, starts)[1:], strict=True)


def _compute_hidden(net: Network, draws: _Draws, rank: int) -> None:
    """Compute the hidden units that may see `rank` features, but not less."""
    activate = ACTIVATIONS[net.made.activation]
    below, n_seen = _lines(draws.inputs), net.first_hidden
    for level, (weight, ends) in enumerate(zip(net.hidden, net.ends, strict=True)):
        own = slice(ends[rank - 1] if rank else 0, ends[rank])
        is_last = level == len(net.hidden) - 1
        buffer = _lines(draws.inputs if is_last else draws.hidden[level])
        first = net.first_hidden if is_last else 1
        if own.start < own.stop:
            target = buffer[first + own.start : first + own.stop]
            np.matmul(weight[own, :n_seen], below[:n_seen], out=target)
            activate(target)
            if net.made.skips(level):
                target += below[1 + own.start : 1 + own.stop]
        below, n_seen = buffer, 1 + ends[rank]


def _lines(array: Floats) -> Floats:
    """View (lines, R, J) as (lines, R * J)."""
    return array.reshape(len(array), math.prod(array.shape[1:]))


def _conditionals(
    net: Network, draws: _Draws, rank: int, features: Integers, chosen: Integers
) -> Iterator[_Conditionals]:
    """Compute the parameters of the chosen rows' features of a rank, law by law."""
    lines = draws.inputs[net.bias : net.first_hidden + net.ends[-1][rank]]
    by_law: dict[int, list[tuple[int, Integers]]] = {}
    for feature, rows in _by_feature(features, chosen):
        by_law.setdefault(int(net.laws[feature]), []).append((feature, rows))
    for number, groups in by_law.items():
        parts = []
        for feature, rows in groups:
            inputs = lines if len(rows) == lines.shape[1] else lines[:, rows]
            params = net.outputs[feature][:, : len(lines)] @ _lines(inputs)
            parts.append(params.reshape(len(params), len(rows), -1))
        rows = np.concatenate([rows for _, rows in groups])
        law = net.made.groups[number][0].at(net.positions[features[rows]])
        params = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        if net.evidence is not None:
            add_evidence(law, params, relative(draws.evidence[:, rows]))
        yield _Conditionals(law, features[rows], rows, params)


def _add_to_evidence(net: Network, draws: _Draws, rank: int, rows: Integers) -> None:
    """Let the feature of a rank, which is there now, speak for components."""
    if net.evidence is None:
        return
    units = [net.units[feature][0] for feature in net.evidence.features[: rank + 1]]
    known = draws.inputs[np.array(units)[:, None], rows]
    found = net.evidence.of_rank(rank, _lines(known))
    draws.evidence[:, rows] += found.reshape(len(found), len(rows), -1)


def _set_units(net: Network, draws: _Draws, feature: int, rows: Integers) -> None:
    """Write the units of a feature that is there now."""
    law = net.made.groups[net.laws[feature]][0]
    units = law.units(draws.values[feature, rows].reshape(1, -1))[0]
    lines = net.units[feature]
    draws.inputs[lines[: len(units), None], rows] = units.reshape(
        len(units), len(rows), draws.inputs.shape[2]
    )
    if net.made.conditioning_weights:
        draws.inputs[lines[-1], rows] = 1.0
