"""Held-out log-likelihoods: one run of one method, and tables of them beside others."""

import time
import warnings

import numpy as np
from peers import LOG_SMALLEST
from report import standard_error
from sklearn.exceptions import ConvergenceWarning
from store import is_done, keep, measured
from tables import PROTOCOLS

OURS = "MADEDensity"


def run(protocol, table, method, seed, fit, split_of=None, packages=()):
    """Fit and score one split, unless that has been done, and keep what came of it.

    `fit` is a function of a split and a seed; `split_of` of a table and a seed, by default that
    of the protocol.
    """
    if is_done(protocol, table, method, seed):
        return
    split = (split_of or PROTOCOLS[protocol].split)(table, seed)
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        density = fit(split, seed)
    seconds = time.perf_counter() - begin
    scores = density.score_samples(split.test)
    facts = {
        "score": float(scores.mean()),
        "error": standard_error(scores),
        # Rows of density zero: a few of them move the mean far.
        "n_zero": int(np.sum(scores <= LOG_SMALLEST)),
        "n_rows": len(split.train),
        "n_columns": split.train.shape[1],
        "seconds": seconds,
    }
    if split.valid is not None:
        facts["valid"] = float(np.mean(density.score_samples(split.valid)))
    if split.truth is not None:
        facts["gap"] = float(np.mean(split.truth.score_samples(split.test) - scores))
    keep(protocol, table, method, seed, facts, packages)
    print(
        f"{protocol} {table} {method} seed {seed}: {facts['score']:.3f} in {seconds:.0f} s",
        flush=True,
    )


def of_seeds(runs, table, method):
    """Return the facts of the seeds that have been run, by seed; else their mean, if known."""
    found = {seed: facts for (t, m, seed), facts in runs.items() if (t, m) == (table, method)}
    single = {seed: facts for seed, facts in found.items() if isinstance(seed, int)}
    return single or found


def means(facts, name="score"):
    """Return one of the facts of each seed."""
    return np.array([own[name] for own in facts.values()])


def compared(protocol, tables, peers):
    """Return, by table, the runs of MADEDensity and of each peer, and the peers with any.

    A peer counts by the seeds that MADEDensity has been run with too.
    """
    runs = measured(protocol)
    found = {}
    for table in tables:
        ours = of_seeds(runs, table, OURS)
        others = {}
        for peer in peers:
            own = of_seeds(runs, table, peer)
            own = {seed: own[seed] for seed in ours if seed in own}
            if own:
                others[peer] = own
        if others:
            found[table] = ours, others
    run_at_all = {peer for _, others in found.values() for peer in others}
    return found, [peer for peer in peers if peer in run_at_all]


def against_peers(protocol, tables, peers, truth=()):
    """Rows of a protocol: means, and the difference to the best peer.

    `truth` has the name of the known density, if any: no peer, but a bound for all. Where a
    peer has been run with fewer seeds, their number follows its mean; rows of density zero,
    which count as the smallest positive float, do too.
    """
    found, shown = compared(protocol, tables, [*truth, *peers])
    yield ["table", "rows x columns", OURS, *shown, "ahead of the best", "seconds"]
    for table, (ours, others) in found.items():
        about = next(iter(ours.values()))
        yield [
            table,
            f"{about['n_rows']} x {about['n_columns']}",
            f"{means(ours).mean():.3f}",
            *(cell(others[peer], len(ours)) if peer in others else "" for peer in shown),
            ahead_of_best(ours, [others[peer] for peer in others if peer not in truth]),
            f"{np.median(means(ours, 'seconds')):.0f}",
        ]


def cell(facts, n_seeds):
    """Write the mean, of how many seeds if not of all, and how many rows had density zero."""
    notes = [] if len(facts) == n_seeds else [f"{len(facts)} of {n_seeds} seeds"]
    n_zero = means(facts, "n_zero").sum()
    notes += [f"{n_zero} rows of density 0"] if n_zero else []
    return f"{means(facts).mean():.3f}" + (f" ({', '.join(notes)})" if notes else "")


def ahead_of_best(ours, rivals):
    """Say whether MADEDensity is ahead of the rival that is best on their common seeds."""
    if not rivals:
        return ""
    gains = [means({s: ours[s] for s in rival}) - means(rival) for rival in rivals]
    least = min(gains, key=np.mean)
    if len(least) < 2:
        return f"{least.mean():+.3f}"
    gain, error = least.mean(), standard_error(least)
    verdict = "tie" if abs(gain) <= error else ("yes" if gain > 0 else "no")
    return f"{verdict}: {gain:+.3f} ± {error:.3f}"
