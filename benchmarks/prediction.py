"""How fast rows are drawn and scored, beside flows and KernelDensity.

All networks have two layers of 256 units; MADEDensity has one member here. Peers compute in
float32, as their users do.
"""

from functools import partial

import numpy as np
import torch
from clock import at_least, at_most, duration, in_turn, medians, ratio, stated, times
from sklearn.neighbors import KernelDensity
from speed_peers import nflows_affine, nflows_mixture, zuko_maf

from skmade import MADEDensity
from skmade.datasets import CorrelatedGaussian

HIDDEN = (256, 256)
N_FITTED = 2000
PIXELS = 784
COMPONENTS = (1, 10)
SINGLE_COLUMNS = 64
CONDITIONAL_COLUMNS = 10

# What has to hold.
SAMPLE_BOUND = 2  # times the time of scoring as many rows
SAMPLE_ONE_BOUND = 5e-3
SCORE_ONE_BOUND = 1e-3
KDE_BOUND = 100
CONDITIONAL_BOUNDS = {"last": 20, "first": 200}  # times the time of scoring as many rows

KDE_ROWS, KDE_COLUMNS, KDE_BANDWIDTH = 50_000, 16, 0.5
KDE_SCORED = 1000


def gaussian(n_rows, n_columns, seed=0):
    """Rows of a Gaussian whose neighbouring columns are correlated."""
    return CorrelatedGaussian(n_columns).sample(n_rows, random_state=seed)


def pixels(n_rows, n_columns, seed=0):
    """Rows of zeros and ones, dependent as the columns of a Gaussian, rarely one."""
    return (gaussian(n_rows, n_columns, seed) > 1).astype(float)


def fitted(X, n_components=10):
    """Return a density of one member: enough to measure its speed."""
    return MADEDensity(
        HIDDEN, n_estimators=1, n_components=n_components, max_iter=1, random_state=0
    ).fit(X)


def sample_cases(options):
    """What is measured of `sample`: name to function that returns facts."""
    row_counts = (100, 1000) if options.small else (1000, 10_000)
    cases = {}
    for n_columns in (32, 64):
        for n_rows in row_counts:
            for n in COMPONENTS:
                cases[f"{n_columns}-{n_rows}-{n}"] = partial(
                    against_score, n_columns, n_rows, options, n_components=n
                )
    for n_rows in row_counts:
        for kind, draw in (("pixels", pixels), ("continuous", gaussian)):
            cases[f"{PIXELS}-{n_rows}-{kind}"] = partial(
                against_score, PIXELS, n_rows, options, draw=draw
            )
    for n_columns in (32, 64, PIXELS):
        # A flow takes minutes for 10000 rows of 784 columns.
        for n_rows in row_counts[:1] if n_columns == PIXELS else row_counts:
            cases[f"peers-{n_columns}-{n_rows}"] = partial(
                sample_against_flows, n_columns, n_rows, options
            )
    cases["one"] = partial(sample_one, options)
    return cases


def score_cases(options):
    """What is measured of `score_samples`: name to function that returns facts."""
    n_rows = 1000 if options.small else 10_000
    cases = {
        f"{n_columns}-{n}": partial(score_against_flows, n_columns, n_rows, n, options)
        for n_columns in (8, 32, 64)
        for n in COMPONENTS
    }
    return cases | {"one": partial(score_one, options), "kde": partial(against_kde, options)}


def conditional_cases(options):
    """What is measured of `conditional`: name to function that returns facts."""
    n_rows = 100 if options.small else 1000
    settings = {"default": {}, "order-agnostic": {"order_agnostic": True, "n_estimators": 2}}
    return {
        f"{place}-{name}": partial(conditional_against_score, place, n_rows, name, own, options)
        for place in CONDITIONAL_BOUNDS
        for name, own in settings.items()
        if (place, name) != ("last", "order-agnostic")  # no column is last there
    }


def conditional_against_score(place, n_rows, name, parameters, options):
    """Time means and quantiles of a column as a multiple of scoring as many rows."""
    density = MADEDensity(ordering="natural", max_iter=1, random_state=0, **parameters)
    density.fit(gaussian(N_FITTED, CONDITIONAL_COLUMNS))
    X = gaussian(n_rows, CONDITIONAL_COLUMNS, seed=1)
    column = CONDITIONAL_COLUMNS - 1 if place == "last" else 0

    def ask():
        given = density.conditional(X, column)
        return given.mean(), given.ppf(0.9)

    own, score = in_turn(ask, lambda: density.score_samples(X), repeat=options.repeat)
    line = (
        f"conditional, mean and a quantile / score_samples, {n_rows} rows x "
        f"{CONDITIONAL_COLUMNS} columns, the column {place} in the ordering, {name}"
    )
    about = medians(conditional=own, score=score)
    return {"rows": [at_most(line, ratio(own, score), CONDITIONAL_BOUNDS[place], about)]}


def against_score(n_columns, n_rows, options, n_components=1, draw=gaussian):
    """Time drawing rows as a multiple of scoring as many."""
    density = fitted(draw(N_FITTED, n_columns), n_components)
    X = draw(n_rows, n_columns, seed=1)
    sample, score = in_turn(
        lambda: density.sample(n_rows), lambda: density.score_samples(X), repeat=options.repeat
    )
    kind = "binary" if draw is pixels else components(n_components)
    line = f"sample / score_samples, {n_rows} rows x {n_columns} columns, {kind}"
    about = medians(sample=sample, score=score)
    return {"rows": [at_most(line, ratio(sample, score), SAMPLE_BOUND, about)]}


def components(number):
    """Name the conditionals: '1 component'."""
    return f"{number} component{'s' if number > 1 else ''}"


def sample_against_flows(n_columns, n_rows, options):
    """Time drawing rows beside two flows, which make a pass for each column."""
    density = fitted(gaussian(N_FITTED, n_columns), n_components=1)
    flows = {"zuko": zuko_maf(n_columns, HIDDEN), "nflows": nflows_affine(n_columns, HIDDEN)}
    rows = []
    for name, flow in flows.items():
        ours, theirs = in_turn(
            lambda: density.sample(n_rows),
            lambda flow=flow: flow.sample(n_rows),
            repeat=options.repeat,
        )
        line = f"sample faster than {name}, {n_rows} rows x {n_columns} columns"
        about = medians(**{"ours": ours, name: theirs})
        rows.append(at_least(line, ratio(theirs, ours), n_columns / 3, about, times))
    return {"rows": rows}


def score_against_flows(n_columns, n_rows, n_components, options):
    """Time scoring rows beside zuko's flow and the MADE of nflows."""
    density = fitted(gaussian(N_FITTED, n_columns), n_components)
    X = gaussian(n_rows, n_columns, seed=1)
    tensor = torch.from_numpy(X).float()
    made = (
        nflows_affine(n_columns, HIDDEN)
        if n_components == 1
        else nflows_mixture(n_columns, HIDDEN, n_components)
    )
    rows = []
    for name, peer in {"zuko": zuko_maf(n_columns, HIDDEN), "nflows": made}.items():
        ours, theirs = in_turn(
            lambda: density.score_samples(X),
            lambda peer=peer: peer.log_prob(tensor),
            repeat=options.repeat,
        )
        line = (
            f"score_samples, rows/s beside {name}, {n_rows} rows x {n_columns} columns, "
            f"{components(n_components)}"
        )
        about = medians(**{"ours": ours, name: theirs})
        value = ratio(theirs, ours)
        # The flow's conditionals are single Gaussians: beside mixtures it is only stated.
        same_kind = name == "nflows" or n_components == 1
        rows.append(
            at_least(line, value, 1, about, times)
            if same_kind
            else stated(line, f"{times(value)} ({about})")
        )
    return {"rows": rows}


def sample_one(options):
    """Time drawing a row."""
    return {
        "rows": [
            one_row(density_of(n), "sample", SAMPLE_ONE_BOUND, options, n) for n in COMPONENTS
        ]
    }


def score_one(options):
    """Time scoring a row."""
    return {
        "rows": [
            one_row(density_of(n), "score_samples", SCORE_ONE_BOUND, options, n)
            for n in COMPONENTS
        ]
    }


def density_of(n_components):
    """Return a density of as many columns as single rows have here."""
    return fitted(gaussian(N_FITTED, SINGLE_COLUMNS), n_components)


def one_row(density, method, bound, options, n_components):
    """Time a method on one row, many times."""
    x = gaussian(1, SINGLE_COLUMNS, seed=1)
    call = density.sample if method == "sample" else partial(density.score_samples, x)
    (ours,) = in_turn(call, repeat=20 * options.repeat)
    line = f"{method}, one row x {SINGLE_COLUMNS} columns, {components(n_components)}"
    return at_most(line, float(np.median(ours)), bound, show=duration)


def against_kde(options):
    """Time scoring rows beside KernelDensity, fitted on the same rows."""
    n_rows = KDE_ROWS // 10 if options.small else KDE_ROWS
    X, test = gaussian(n_rows, KDE_COLUMNS), gaussian(10 * KDE_SCORED, KDE_COLUMNS, seed=1)
    kde = KernelDensity(bandwidth=KDE_BANDWIDTH).fit(X)
    densities = {
        "2 x 256 units, one member": fitted(X),
        "every default": MADEDensity(max_iter=1, random_state=0).fit(X),
    }
    rows = []
    for name, density in densities.items():
        ours, theirs = in_turn(
            lambda density=density: density.score_samples(test),
            lambda: kde.score_samples(test[:KDE_SCORED]),
            repeat=options.repeat,
        )
        value = ratio(theirs, ours) * len(test) / KDE_SCORED
        line = (
            f"score_samples, rows/s beside KernelDensity, fitted on {n_rows} rows x "
            f"{KDE_COLUMNS} columns, {name}"
        )
        rates = (
            f"ours {len(test) / np.median(ours):.0f} rows/s, "
            f"KernelDensity {KDE_SCORED / np.median(theirs):.0f} rows/s"
        )
        rows.append(at_least(line, value, KDE_BOUND, rates, times))
    return {"rows": rows}
