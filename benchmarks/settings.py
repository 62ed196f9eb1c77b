"""What the parameters of MADEDensity do: one changed at a time, beside the defaults.

    python benchmarks/settings.py                          # everything
    python benchmarks/settings.py --only penguins --parameters n_estimators max_iter
    python benchmarks/settings.py --report                 # of what has been run

Log-likelihoods are mean nats per held-out row, less those of the defaults on the same rows.
Times are seconds of the processor, so that other processes on the machine count little, divided
by those of the defaults: the geometric mean over the tables. Splits are those of tables.py and
mixed.py with seed 0. The defaults are fitted with three values of `random_state`, which tells
how much is chance. Each run is kept by store.py.
"""

import argparse
import time
import warnings

import numpy as np
import torch
from mixed import load
from report import draw_settings, standard_error, write
from store import is_done, keep, measured
from tables import PROTOCOLS

from skmade import MADEDensity

NAME = "settings"
OURS = "MADEDensity"
SEED = 0
NUMBERS = ("breast-cancer", "wine-quality-red")
TABLES = ("penguins", "german_credit", *NUMBERS)
QUICK = ("penguins", "breast-cancer")  # on which what matters less is measured too
N_SCORED = 5  # the fastest of as many passes counts

# One parameter at a time, and what it is set to.
MATTER = {
    "n_estimators": (1, 4, 24),
    "max_iter": (10, 30, 300),
    "hidden_layer_sizes": ((32, 32), (64, 64), (256, 256)),
    "order_agnostic": (True,),
    "min_scale": (0.1,),
}
OTHERS = {
    "n_components": (1, 3, 20),
    "dropout": (0, 0.2),
}
# Several at once, by the name of the recipe.
RECIPES = {
    "quick": {"n_estimators": 4, "max_iter": 30},
    "patient": {"n_estimators": 24, "max_iter": 300, "hidden_layer_sizes": (256, 256)},
    "smooth": {"n_components": 3, "min_scale": 0.1},
}
# The lines of the picture; of each so many values are below the default.
LINES = {"n_estimators": "members", "max_iter": "epochs", "hidden_layer_sizes": "width"}
N_BELOW = 2
# Three fits of the defaults.
DEFAULTS = ({}, {"random_state": 1}, {"random_state": 2})


def one_by_one(parameters):
    """Yield what is set, for each value of each parameter."""
    for parameter, values in parameters.items():
        for value in values:
            yield {parameter: value}


def combinations(table):
    """Return what is set in each run of a table, nothing first."""
    others = one_by_one(OTHERS) if table in QUICK else ()
    return [*DEFAULTS, *RECIPES.values(), *one_by_one(MATTER), *others]


def method_of(changed):
    """Name a run by what is set."""
    return f"{OURS}({', '.join(f'{name}={value!r}' for name, value in changed.items())})"


def split_of(table):
    """Return rows to fit and to score, and what the table asks to be set."""
    if table in NUMBERS:
        return PROTOCOLS["continuous"].split(table, SEED), {}
    split = load(table, SEED)
    return split, {"feature_types": split.kinds, "handle_unknown": "smoothed"}


def cpu_seconds(function, *arguments):
    """Call a function: what it returns, and the seconds of the processor that it took."""
    begin = time.process_time()
    returned = function(*arguments)
    return returned, time.process_time() - begin


def run(table, changed):
    """Fit and score one table, unless that has been done, and keep what came of it."""
    method = method_of(changed)
    if is_done(NAME, table, method, SEED):
        return
    split, asked = split_of(table)
    model = MADEDensity(**{"random_state": SEED} | asked | changed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, fitting = cpu_seconds(model.fit, split.train)
    passes = [cpu_seconds(model.score_samples, split.test) for _ in range(N_SCORED)]
    scores = passes[0][0]
    facts = {
        "score": float(scores.mean()),
        "error": standard_error(scores),
        "n_rows": len(split.train),
        "n_columns": split.train.shape[1],
        "cpu_seconds": fitting,
        "cpu_seconds_to_score": min(seconds for _, seconds in passes),
    }
    keep(NAME, table, method, SEED, facts)
    print(f"{table} {method}: {facts['score']:.3f} in {fitting:.1f} s", flush=True)


def fact(runs, table, changed, name):
    """Return a fact of a run, NaN if it has not been run."""
    return runs.get((table, method_of(changed), SEED), {}).get(name, np.nan)


def gain(runs, table, changed):
    """Return the gain in nats per row over the defaults, which are the mean of three fits."""
    defaults = [fact(runs, table, own, "score") for own in DEFAULTS]
    return fact(runs, table, changed, "score") - np.mean(defaults)


def ratio(runs, tables, changed, name):
    """Return how many times the seconds of the defaults, the geometric mean over tables."""
    ratios = [
        fact(runs, table, changed, name)
        / np.median([fact(runs, table, own, name) for own in DEFAULTS])
        for table in tables
    ]
    return np.exp(np.mean(np.log(ratios)))


def row_of(runs, tables, changed):
    """Write what is set, the gain on each table, and the ratios of seconds."""
    times = [
        ratio(runs, tables, changed, name) for name in ("cpu_seconds", "cpu_seconds_to_score")
    ]
    return [
        ", ".join(f"{name}={value}" for name, value in changed.items()),
        *(f"{gain(runs, table, changed):+.2f}" for table in tables),
        *(f"{own:.1f}" for own in times),
    ]


def chance(runs, tables):
    """Write the standard deviation of what the defaults reach, over three seeds."""
    spreads = [np.std([gain(runs, t, own) for own in DEFAULTS], ddof=1) for t in tables]
    return ["defaults", *(f"± {spread:.2f}" for spread in spreads), "1", "1"]


def table_of(runs, tables, settings):
    """Yield the rows of a table, of settings that have been run on all of `tables`."""
    yield ["setting", *tables, "time to fit", "time to score"]
    yield chance(runs, tables)
    for changed in settings:
        if all((table, method_of(changed), SEED) in runs for table in tables):
            yield row_of(runs, tables, changed)


def mean_gain(runs, changed):
    """Return the gain in nats per cell, the mean over the tables."""
    n_columns = [fact(runs, table, {}, "n_columns") for table in TABLES]
    gains = [gain(runs, table, changed) for table in TABLES]
    return np.mean(np.divide(gains, n_columns))


def line_of(runs, parameter):
    """Yield value, ratio of time and gain of what is set, the defaults among them."""
    for number, value in enumerate(MATTER[parameter]):
        if number == N_BELOW:
            yield "", 1, 0
        own = {parameter: value}
        yield np.min(value), ratio(runs, TABLES, own, "cpu_seconds"), mean_gain(runs, own)


def draw(runs):
    """Draw time beside quality: a line for each of a few parameters."""
    lines = {label: list(line_of(runs, name)) for name, label in LINES.items()}
    draw_settings("settings", lines, [mean_gain(runs, own) for own in DEFAULTS])


def write_reports():
    """Write the tables of what has been run, and the picture."""
    runs = measured(NAME)
    if not runs:
        return
    write("settings", table_of(runs, TABLES, one_by_one(MATTER)))
    write("settings_recipes", table_of(runs, TABLES, RECIPES.values()))
    write("settings_others", table_of(runs, QUICK, one_by_one(OTHERS)))
    draw(runs)


def main():
    """Run what is asked for, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=TABLES, default=list(TABLES))
    parameters = [*MATTER, *OTHERS]
    parser.add_argument("--parameters", nargs="*", choices=parameters, default=parameters)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--report", action="store_true", help="run nothing")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    for table in () if chosen.report else chosen.only:
        for changed in combinations(table):
            if changed in DEFAULTS or set(changed) <= set(chosen.parameters):
                run(table, changed)
    write_reports()


if __name__ == "__main__":
    main()
