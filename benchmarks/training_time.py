"""How long fits take: to a peer's best held-out log-likelihood, and with every default."""

import math
import statistics
import time
from functools import partial

import numpy as np
import torch
from clock import at_least, at_most, digits, duration, seconds, times
from peers import HIDDEN
from sklearn.model_selection import train_test_split
from speed_peers import PLAIN_HIDDEN, train_maf, train_plain_made
from tables import PROTOCOLS, Split

from skmade import MADEDensity

FASTER_BOUND = 3

# A fit takes long: so many times at most.
MAX_REPEAT = 3

# Epochs over which the step size falls, the same for all tables. Of 20, 50 and 'auto' all came
# to the peer's log-likelihood of validation rows in about as many epochs of about 10; 50 leaves
# some for harder seeds.
MAX_ITER = 50

N_DEFAULT_COLUMNS = 10
DEFAULT_BOUNDS = {5000: 15, 50_000: 60}  # rows: seconds


class EpochClock:
    """A callback of scikit-learn that notes when each epoch ends."""

    def __init__(self):
        self.ends = []

    def setup(self, estimator, context):
        """Begin: there is nothing to do."""

    def teardown(self, estimator, context):
        """End: there is nothing to do."""

    def on_fit_task_begin(self, estimator, context):
        """Begin a task: there is nothing to do."""

    def on_fit_task_end(self, estimator, context):
        """Note the time if the task is an epoch, and never stop."""
        if context.task_name == "epoch":
            self.ends.append(time.perf_counter())
        return False


def binary_rows(table, small):
    """Return the published rows to train on and to stop by."""
    split = PROTOCOLS["binary"].split(table, 0)
    return thinned(split) if small else split


def continuous_rows(table, small):
    """Hold out a tenth of the training rows of the first split."""
    split = PROTOCOLS["continuous"].split(table, 0)
    train, valid = train_test_split(split.train, test_size=0.1, random_state=0)
    split = Split(train, split.test, valid)
    return thinned(split) if small else split


def thinned(split):
    """Keep a tenth of the rows."""
    return Split(split.train[::10], split.test, split.valid[::10])


PEERS = {
    "plants": (binary_rows, "a plain MADE", train_plain_made, PLAIN_HIDDEN),
    "mushrooms": (binary_rows, "a plain MADE", train_plain_made, PLAIN_HIDDEN),
    "power-plant": (continuous_rows, "zuko MAF", train_maf, HIDDEN),
    "protein-tertiary-structure": (continuous_rows, "zuko MAF", train_maf, HIDDEN),
}


def fit_cases(options):
    """What is measured of fits to a peer's best: table to function that returns facts."""
    return {table: partial(to_the_best_of_a_peer, table, options) for table in PEERS}


def to_the_best_of_a_peer(table, options):
    """Time a peer to its best held-out log-likelihood, and MADEDensity to the same."""
    rows_of, name, train_peer, hidden = PEERS[table]
    split = rows_of(table, options.small)
    warm_up(split, hidden)
    runs = []
    for seed in range(min(options.repeat, MAX_REPEAT)):
        peer = train_peer(split.train, split.valid, seed)
        runs.append({"peer": vars(peer), "ours": reach(split, hidden, peer.best, seed)})
        print(runs[-1], flush=True)
    faster = statistics.median(
        run["peer"]["seconds"] / (run["ours"]["seconds"] or math.inf) for run in runs
    )
    n_rows, n_columns = split.train.shape
    line = f"fit, {table} ({n_rows} rows x {n_columns} columns), to the best of {name}"
    row = at_least(line, faster, FASTER_BOUND, about_runs(runs), times)
    return {"rows": [row], "runs": runs, "max_iter": MAX_ITER}


def warm_up(split, hidden):
    """Fit a few rows, so that nobody's time includes imports."""
    parameter = torch.zeros(1, requires_grad=True)
    torch.optim.Adam([parameter])
    MADEDensity(hidden, n_estimators=1, max_iter=1).fit(split.train[:100])


def reach(split, hidden, target, seed):
    """Return when and at which epoch the held-out log-likelihood first was the target."""
    clock = EpochClock()
    density = MADEDensity(hidden, n_estimators=1, max_iter=MAX_ITER, random_state=seed)
    begin = time.perf_counter()
    density.set_callbacks(clock).fit(split.train, X_val=split.valid)
    total = time.perf_counter() - begin
    history = np.array(density.history_["validation"])
    reached = np.flatnonzero(history >= target)
    epoch = int(reached[0]) if len(reached) else None
    return {
        "best": float(history.max()),
        "epoch": None if epoch is None else epoch + 1,
        "seconds": None if epoch is None else clock.ends[epoch] - begin,
        "total": total,
        "n_epochs": len(history),
    }


def about_runs(runs):
    """Tell the first run's seconds, epochs and log-likelihoods, and how often we failed."""
    peer, ours = runs[0]["peer"], runs[0]["ours"]
    text = f"peer {duration(peer['seconds'])} to {digits(peer['best'])}"
    failed = sum(run["ours"]["epoch"] is None for run in runs)
    if ours["epoch"] is not None:
        text += f", ours {duration(ours['seconds'])}, epoch {ours['epoch']}"
    if failed:
        text += f", not reached in {failed} of {len(runs)}"
    return f"{text}; best {digits(ours['best'])} in {duration(ours['total'])}"


def members_cases(options):
    """What is measured of fits with every default: name to function that returns facts."""
    factor = 10 if options.small else 1
    return {
        f"{n_rows // factor}": partial(default_members, n_rows // factor, bound, options)
        for n_rows, bound in DEFAULT_BOUNDS.items()
    }


def default_members(n_rows, bound, options):
    """Time a fit of every default."""
    X = curved_mixture(n_rows, N_DEFAULT_COLUMNS)
    fits = [
        seconds(lambda: MADEDensity(random_state=0).fit(X))
        for _ in range(min(options.repeat, MAX_REPEAT))
    ]
    line = f"fit, every default, {n_rows} rows x {N_DEFAULT_COLUMNS} columns"
    return {"rows": [at_most(line, statistics.median(fits), bound, show=duration)]}


def curved_mixture(n_rows, n_columns):
    """Rows of three correlated Gaussians, whose last columns are functions of the first."""
    rng = np.random.RandomState(0)
    n_curved = n_columns // 3
    n_straight = n_columns - n_curved
    means = rng.normal(scale=2, size=(3, n_straight))
    factors = rng.normal(size=(3, n_straight, n_straight)) / np.sqrt(n_straight)
    which = rng.randint(3, size=n_rows)
    noise = rng.normal(size=(n_rows, n_straight))
    straight = means[which] + np.einsum("nij,nj->ni", factors[which], noise)
    curves = np.sin(2 * straight[:, :n_curved]) + 0.1 * straight[:, 1 : n_curved + 1] ** 2
    return np.hstack([straight, curves + 0.1 * rng.normal(size=curves.shape)])
