"""Other densities of tables with labels, numbers and missing cells.

`Independent` multiplies the columns' own densities: smoothed frequencies of labels,
histograms of numbers. `ChowLiu` is the best tree (Chow and Liu 1968) over labels and
intervals of the numbers; inside an interval it has the histogram of `Independent`, so that
it only adds dependence. Their settings are chosen by five folds of the training rows; of
more than 5000 rows only one of these folds is held out. `Mixture` (SPFlow) and
`Autoregressive` (TabularARGN) are over the same labels and intervals, with the same histograms
inside. Missing cells are summed out exactly.

All are proper densities over the space of `MADEDensity(handle_unknown="smoothed")`: the
mass of an integer for a count, a density in the column's own unit for a continuous column,
and for labels one more level that stands for whatever the training rows did not hold.
"""

import importlib.util
import itertools
from unittest import mock

import numpy as np
import pandas as pd
from scipy.stats import cauchy
from sklearn.model_selection import KFold

# Bins of a histogram; with the last number every value has its own, as in a table of
# frequencies.
N_BINS = (5, 10, 20, 40, 80, 160, 320, 10**9)
# Mass of a histogram's tail, which stands for values unlike those seen; None: one row's.
TAILS = (None, 0.01, 0.05)
# Intervals of a number in the tree, and rows' worth of trust in the column's own
# frequencies.
N_STATES = (2, 3, 5, 10, 20, 40, 80, 160, 320)
STRENGTHS = (0.1, 0.3, 1, 3, 10, 30)
# Of more rows than this one fold in five is held out, of fewer all five in turn.
MAX_ROWS_OF_FOLDS = 5000
# Intervals of a number in other models, and the weight of independent columns beside them.
N_MODEL_STATES = (10, 40)
WEIGHTS = (0.001, 0.003, 0.01, 0.03, 0.1)
# What may stand in the holes of a row, and rows that are scored at once.
MAX_COMPLETIONS, CHUNK = 20_000, 10_000


class Frequencies:
    """Labels: half a row for each level, and half for all that were not seen."""

    def __init__(self, cells):
        observed = cells.dropna()
        self.levels = sorted(observed.unique())
        counts = np.bincount(self.states(observed), minlength=len(self.levels) + 1) + 0.5
        self.masses = counts / counts.sum()

    def log_prob(self, cells):
        """Log-mass of labels that are not missing."""
        return np.log(self.masses[self.states(cells)])

    def states(self, cells):
        """Codes of labels; the last stands for all that were not seen."""
        codes = pd.Index(self.levels, dtype=object).get_indexer(cells.astype(object))
        return np.where(codes < 0, len(self.levels), codes)

    def cut(self, n_states):
        """Return itself: every level is a state."""
        return self


class Histogram:
    """A number: bins of about equal mass, uniform inside, and a thin Cauchy tail.

    A value that holds the mass of a bin by itself has its own. Bins of a count end between
    integers, and the tail's mass below its lowest value (0, if none was negative) is put there.
    """

    def __init__(self, cells, n_bins, tail, is_count):
        values, counts = np.unique(cells.dropna(), return_counts=True)
        n_rows = counts.sum()
        first, alone = starts(counts / n_rows, n_bins)
        last = np.r_[first[1:], len(values)] - 1
        self.left, self.right = edges(values[first], values[last], alone, is_count)
        masses = np.add.reduceat(counts, first) + 0.5
        self.masses = masses / masses.sum()
        self.tail = 1 / (n_rows + 1) if tail is None else tail
        self.is_count = is_count
        self.lowest = 0.0 if is_count and values[0] >= 0 else -np.inf
        middle, reach = (values[0] + values[-1]) / 2, (values[-1] - values[0]) / 2
        self.broad = cauchy(middle, reach or 1.0)

    def log_prob(self, cells):
        """Log-density, or log-mass of an integer, of cells that are not missing."""
        cells = np.asarray(cells, dtype=float)
        bins = np.maximum(np.searchsorted(self.left, cells, side="right") - 1, 0)
        inside = (cells >= self.left[bins]) & (cells <= self.right[bins])
        body = np.where(inside, self.masses[bins] / (self.right - self.left)[bins], 0.0)
        if self.is_count:
            below = np.where(cells > self.lowest, self.broad.cdf(cells - 0.5), 0.0)
            tail = self.broad.cdf(cells + 0.5) - below
        else:
            tail = self.broad.pdf(cells)
        return np.log((1 - self.tail) * body + self.tail * tail)

    def cut(self, n_states):
        """Return intervals of about equal mass that partition the line."""
        first, _ = starts(self.masses, n_states)
        cuts = self.right[first[1:] - 1]
        body, tail = self.masses.cumsum()[first[1:] - 1], self.broad.cdf(cuts)
        return Intervals(cuts, (1 - self.tail) * body + self.tail * tail)


class Intervals:
    """States of a number: intervals between cuts, and the masses of them."""

    def __init__(self, cuts, levels):
        self.cuts = cuts
        self.masses = np.diff(levels, prepend=0, append=1)

    def states(self, cells):
        """Position of the interval of each cell."""
        return np.searchsorted(self.cuts, np.asarray(cells, dtype=float), side="right")


def starts(shares, n_groups):
    """Group neighbours to about equal shares: first of each group, which are one large value.

    Whoever holds the share of a group is one.
    """
    large = shares >= 1 / n_groups
    group = np.floor(n_groups * (shares.cumsum() - shares / 2))
    first = np.flatnonzero(np.r_[True, (np.diff(group) > 0) | large[1:] | large[:-1]])
    return first, large[first]


def edges(first, last, alone, is_count):
    """Edges of bins, given the values at their ends; bins of one integer hold no other."""
    middle = (last[:-1] + first[1:]) / 2
    low, high, half = middle, middle, 0.0
    if is_count:
        middle, low, high, half = np.floor(middle) + 0.5, last[:-1] + 0.5, first[1:] - 0.5, 0.5
    left = np.where(alone[1:], high, np.where(alone[:-1], low, middle))
    right = np.where(alone[:-1], low, np.where(alone[1:], high, middle))
    if first[0] == last[-1]:  # a constant
        half = 0.5
    return np.r_[first[0] - half, left], np.r_[right, last[-1] + half]


def fit_column(cells, kind):
    """Density of one column by itself; `kind` is 'count', 'continuous', or None for labels."""
    if kind is None:
        return Frequencies(cells)
    observed, is_count = cells.dropna(), kind == "count"
    settings = list(itertools.product(N_BINS, TAILS))
    totals = np.zeros(len(settings))
    for train, held_out in folds(observed):
        totals += [
            Histogram(train, *setting, is_count).log_prob(held_out).sum()
            for setting in settings
        ]
    return Histogram(observed, *settings[totals.argmax()], is_count)


def folds(rows):
    """Yield training and held-out rows."""
    splits = KFold(5, shuffle=True, random_state=0).split(rows)
    n_folds = 1 if len(rows) > MAX_ROWS_OF_FOLDS else 5
    for train, held_out in itertools.islice(splits, n_folds):
        yield rows.iloc[train], rows.iloc[held_out]


def by_observed(function, cells, missing):
    """Apply a function to the cells that are there; `missing` stands for the others."""
    observed = cells.notna().to_numpy()
    result = np.full(len(cells), missing)
    result[observed] = function(cells[observed])
    return result


class Independent:
    """The product of the columns' densities; `kinds` names the kinds of the numbers."""

    def __init__(self, kinds):
        self.kinds = kinds

    def fit(self, frame):
        """Fit each column."""
        self.columns_ = [fit_column(frame[name], self.kinds.get(name)) for name in frame]
        return self

    def score_samples(self, frame):
        """Log-density of the observed cells of each row."""
        return sum(
            by_observed(column.log_prob, frame[name], 0.0)
            for name, column in zip(frame, self.columns_, strict=True)
        )


class Tree:
    """Each column's state given that of its parent, for one number of states and strength."""

    def __init__(self, independent, frame, n_states, strength):
        self.independent = independent
        self.columns = [column.cut(n_states) for column in independent.columns_]
        states = self.states(frame)
        sizes = [len(column.masses) for column in self.columns]
        gains = np.zeros((len(sizes), len(sizes)))
        for a, b in itertools.combinations(range(len(sizes)), 2):
            gains[a, b] = gains[b, a] = information(pair_counts(states, sizes, a, b))
        self.links = spanning_forest(gains)
        self.tables = {}
        for child, parent in self.links:
            if parent >= 0:
                counts = pair_counts(states, sizes, parent, child)
                counts = counts + strength * self.columns[child].masses
                self.tables[child] = counts / counts.sum(axis=1, keepdims=True)

    def states(self, frame):
        """States of all columns, -1 where missing."""
        pairs = zip(frame, self.columns, strict=True)
        return np.stack([by_observed(c.states, frame[name], -1) for name, c in pairs])

    def score_samples(self, frame):
        """Log-density of the observed cells of each row, by messages from leaves to roots."""
        scores = self.independent.score_samples(frame)
        messages = []
        for column, own in zip(self.columns, self.states(frame), strict=True):
            observed = own >= 0
            scores[observed] -= np.log(column.masses[own[observed]])
            possible = own[:, None] == np.arange(len(column.masses))
            messages.append((possible | ~observed[:, None]).astype(float))
        for child, parent in reversed(self.links):
            if parent < 0:
                scores += np.log(messages[child] @ self.columns[child].masses)
            else:
                messages[parent] = messages[parent] * (messages[child] @ self.tables[child].T)
        return scores


class ChowLiu:
    """The tree of the best number of states and strength; `kinds` as of `Independent`."""

    def __init__(self, kinds):
        self.kinds = kinds

    def fit(self, frame):
        """Choose the setting and fit it to all rows."""
        settings = list(itertools.product(N_STATES, STRENGTHS))
        totals = np.zeros(len(settings))
        for train, held_out in folds(frame):
            independent = Independent(self.kinds).fit(train)
            trees = (Tree(independent, train, *setting) for setting in settings)
            totals += [tree.score_samples(held_out).sum() for tree in trees]
        self.setting_ = settings[totals.argmax()]
        self.tree_ = Tree(Independent(self.kinds).fit(frame), frame, *self.setting_)
        return self

    def score_samples(self, frame):
        """Log-density of the observed cells of each row."""
        return self.tree_.score_samples(frame)


def pair_counts(states, sizes, a, b):
    """Count pairs of states of two columns in the rows that hold both."""
    both = (states[a] >= 0) & (states[b] >= 0)
    pairs = states[a, both] * sizes[b] + states[b, both]
    return np.bincount(pairs, minlength=sizes[a] * sizes[b]).reshape(sizes[a], sizes[b])


def information(counts):
    """Mutual information in nats, less what as many free parameters bring by chance."""
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    n_rows = max(counts.sum(), 1)
    joint = counts / n_rows
    expected = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    seen = joint > 0
    gain = (joint[seen] * np.log(joint[seen] / expected[seen])).sum()
    return gain - np.prod(np.array(counts.shape) - 1) / (2 * n_rows)


def spanning_forest(gains):
    """Links (child, parent) of largest total gain, parents first; roots have parent -1."""
    best, link = np.zeros(len(gains)), np.full(len(gains), -1)
    links, left = [], list(range(len(gains)))
    while left:
        child = max(left, key=lambda column: best[column])
        left.remove(child)
        links.append((child, int(link[child])))
        closer = gains[child] > best
        best[closer], link[closer] = gains[child, closer], child
    return links


class OverStates:
    """A model of labels and intervals, with the histograms of `Independent` inside these.

    Numbers are cut as for the tree. A tenth of the rows chooses the number of intervals and the
    weight of independent columns, beside the model, for states that it holds impossible.
    """

    def __init__(self, kinds, seed=0):
        self.kinds = kinds
        self.seed = seed

    def fit(self, frame):
        """Learn a model for each number of intervals, and keep the best."""
        shuffled = np.random.default_rng(self.seed).permutation(len(frame))
        n_valid = -(-len(frame) // 10)
        valid, train = frame.iloc[shuffled[:n_valid]], frame.iloc[shuffled[n_valid:]]
        independent = Independent(self.kinds).fit(train)
        best = -np.inf
        for n_states in N_MODEL_STATES:
            columns = [column.cut(n_states) for column in independent.columns_]
            sizes = [len(column.masses) for column in columns]
            rows = states_of(train, columns), states_of(valid, columns)
            parts = independent, columns, self.learn(*rows, sizes)
            gains = self.gains(valid, columns, parts[2])
            totals = [mixed_gains(gains, weight).sum() for weight in WEIGHTS]
            total = independent.score_samples(valid).sum() + max(totals)
            if total > best:
                best, self.parts_ = total, parts
                self.setting_ = n_states, WEIGHTS[int(np.argmax(totals))]
        return self

    def score_samples(self, frame):
        """Log-density of the observed cells of each row."""
        independent, columns, model = self.parts_
        gains = mixed_gains(self.gains(frame, columns, model), self.setting_[1])
        return independent.score_samples(frame) + gains

    def gains(self, frame, columns, model):
        """Return by how much the model has more log-mass than independent states."""
        states = states_of(frame, columns)
        gains = self.log_mass(model, states)
        for column, own in zip(columns, states.T, strict=True):
            observed = own >= 0
            gains[observed] -= np.log(column.masses[own[observed]])
        return gains


def mixed_gains(gains, weight):
    """Return gains over independent columns of a model that these are mixed into."""
    return np.logaddexp(np.log1p(-weight) + gains, np.log(weight))


class Mixture(OverStates):
    """A continuous mixture (Correia et al. 2023) of SPFlow: its defaults, stopped on the tenth.

    SPFlow has such mixtures of one kind of leaf, so all columns are categorical.
    """

    def learn(self, train, valid, sizes):
        """Learn from states (n_rows, n_columns), -1 where missing."""
        import torch
        from spflow.zoo.cms import continuous_mixtures, learn_continuous_mixture_factorized

        torch.manual_seed(self.seed)
        with mock.patch.object(
            continuous_mixtures, "_factorized_component_ll", categorical_component_ll
        ):
            return learn_continuous_mixture_factorized(
                with_holes(train),
                leaf="categorical",
                num_cats=max(sizes),
                val_data=with_holes(valid),
                seed=self.seed,
            )

    def log_mass(self, model, states):
        """Log-mass of states, missing ones summed out."""
        import torch

        with torch.no_grad():
            chunks = [model.log_likelihood(rows) for rows in with_holes(states).split(1000)]
        return torch.cat(chunks).double().numpy().reshape(len(states))


class Autoregressive(OverStates):
    """TabularARGN of mostlyai-engine: its defaults, columns in their order, no value hidden.

    It takes missing cells for one more label, and so has no density of the cells that are
    there: it learns from the rows without holes, and the mass of a row with some is the sum
    over all that could stand in them. Where that is more than MAX_COMPLETIONS, the row has the
    mass of independent columns.
    """

    def learn(self, train, valid, sizes):
        """Learn from states (n_rows, n_columns), -1 where missing."""
        from mostlyai.engine import TabularARGN

        rows = as_labels(train[(train >= 0).all(axis=1)])
        model = TabularARGN(
            tgt_encoding_types=dict.fromkeys(rows, "TABULAR_CATEGORICAL"),
            enable_flexible_generation=False,
            value_protection=False,
            device="cpu",
            random_state=self.seed,
        )
        return model.fit(rows), sizes

    def gains(self, frame, columns, model):
        """Return gains over independent states, none where too much could stand in holes."""
        gains = super().gains(frame, columns, model)
        return np.where(np.isnan(gains), 0.0, gains)

    def log_mass(self, model, states):
        """Log-mass of states, missing ones summed out; NaN where that is too much work."""
        model, sizes = model
        complete, row_of = [], []
        for row, own in enumerate(states):
            choices = [range(n) if k < 0 else [k] for k, n in zip(own, sizes, strict=True)]
            if np.prod([len(choice) for choice in choices]) <= MAX_COMPLETIONS:
                found = list(itertools.product(*choices))
                complete += found
                row_of += [row] * len(found)
        rows = as_labels(np.array(complete))
        chunks = range(0, len(rows), CHUNK)
        logs = [model.log_prob(rows.iloc[k : k + CHUNK].reset_index(drop=True)) for k in chunks]
        result = np.full(len(states), -np.inf)
        np.logaddexp.at(result, row_of, np.concatenate(logs))
        return np.where(np.isin(np.arange(len(states)), row_of), result, np.nan)


def states_of(frame, columns):
    """States (n_rows, n_columns) of labels and numbers, -1 where missing."""
    pairs = zip(frame, columns, strict=True)
    return np.stack([by_observed(c.states, frame[name], -1) for name, c in pairs], axis=1)


def as_labels(states):
    """Return states as a table of text."""
    return pd.DataFrame(states, columns=[f"c{k}" for k in range(states.shape[1])]).astype(str)


def categorical_component_ll(*, data, leaf, decoder_out, num_cats, normal_eps):
    """As SPFlow's function of this name, by one product of matrices: tens of times as fast."""
    import torch

    known = data.isfinite()
    codes = data.where(known, 0).long()
    hot = torch.nn.functional.one_hot(codes, num_cats) * known[..., None]
    logs = decoder_out.view(len(decoder_out), -1, num_cats).log_softmax(2)
    return logs.flatten(1) @ hot.flatten(1).to(logs).T


def with_holes(states):
    """Return states as SPFlow wants them: floats, NaN where missing."""
    import torch

    return torch.from_numpy(np.where(states < 0, np.nan, states)).float()


# By name: what fits the rows of a table whose numbers have these kinds, given a seed.
PEERS = {
    "independent columns": lambda kinds, seed: Independent(kinds),
    "Chow-Liu tree": lambda kinds, seed: ChowLiu(kinds),
    "SPFlow mixture": Mixture,
    "TabularARGN": Autoregressive,
}
PACKAGES = {"SPFlow mixture": ["spflow"], "TabularARGN": ["mostlyai-engine"]}
MODULES = {"SPFlow mixture": "spflow", "TabularARGN": "mostlyai"}


def is_installed(name):
    """Whether a peer can be run; say what to install if it cannot."""
    if name not in MODULES or importlib.util.find_spec(MODULES[name]):
        return True
    print(f"{name} is left out: pip install {' '.join(PACKAGES[name])}", flush=True)
    return False
