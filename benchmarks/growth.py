"""How time and memory grow with rows and columns, beside KernelDensity.

An exponent is the slope of a line by least squares through the logarithms, over all sizes.
"""

import statistics
from functools import partial

import numpy as np
from clock import at_most, digits, duration, in_turn, seconds, stated
from memory import N_COLUMNS, PeakMemory, chunks
from sklearn.neighbors import KernelDensity

from skmade import MADEDensity
from skmade.datasets import CorrelatedGaussian

ROWS = (1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
COLUMNS = (4, 8, 16, 32, 64, 128, 256, 512)
COLUMN_ROWS = 2000
HIDDEN = (256, 256)
N_EPOCHS = 3
BATCH = 256
ROW_BOUND, COLUMN_BOUND = 1.05, 1.2

# KernelDensity is not asked for more rows once it has taken so many seconds, and is not
# timed again.
KDE_SLOW = 10
KDE_BANDWIDTH = 0.5


def cases(options):
    """What is measured as sizes grow: name to function that returns facts."""
    most_rows = options.most_rows // (10 if options.small else 1)
    row_counts = [n_rows for n_rows in ROWS if n_rows <= most_rows]
    columns = COLUMNS[:4] if options.small else COLUMNS
    return {
        "rows": partial(by_rows, row_counts, options),
        "columns": partial(by_columns, columns, options),
    }


def exponent(curve):
    """Slope of the logarithm of what grows by the logarithm of size."""
    sizes, values = zip(*curve, strict=True)
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def by_rows(sizes, options):
    """Fit tables of growing length for as many epochs each, and score them whole."""
    names = ("fit", "score", "kde", "fit MB", "score MB", "kde MB")
    curves = {name: [] for name in names}
    warm_up()
    for n_rows in sizes:
        X = np.vstack(list(chunks(n_rows))).astype(float)
        density = MADEDensity(
            n_estimators=1,
            max_iter=N_EPOCHS,
            early_stopping=False,
            batch_size=BATCH,
            random_state=0,
        )
        repeat = options.repeat if n_rows < 100_000 else 1
        measure(curves, "fit", n_rows, lambda X=X, density=density: density.fit(X), repeat)
        score = partial(density.score_samples, X)
        measure(curves, "score", n_rows, score, repeat)
        if all(value < KDE_SLOW for _, value in curves["kde"]):
            measure(curves, "kde", n_rows, partial(kernel_density, X), 1)
    return {"rows": list(row_lines(curves)), "curves": curves}


def warm_up():
    """Fit and score a few rows, so that imports are in no figure."""
    X = next(chunks(100))
    MADEDensity(n_estimators=1, max_iter=1, early_stopping=False).fit(X).score_samples(X)


def kernel_density(X):
    """Fit KernelDensity and score its rows: fitting takes its memory, scoring its time."""
    return KernelDensity(bandwidth=KDE_BANDWIDTH).fit(X).score_samples(X)


def measure(curves, name, size, call, repeat):
    """Add peak memory and median seconds of a call to the curves."""
    with PeakMemory() as peak:
        taken = [seconds(call)]
    if taken[0] < KDE_SLOW:
        taken = [seconds(call) for _ in range(repeat)]
    curves[name].append((size, statistics.median(taken)))
    curves[f"{name} MB"].append((size, peak.megabytes))
    print(f"{name} {size}: {duration(curves[name][-1][1])}", flush=True)


def row_lines(curves):
    """Rows of the report about growth by rows."""
    for name, what in (("fit", f"fit, {N_EPOCHS} epochs"), ("score", "score_samples")):
        yield at_most(
            f"exponent of the time of {what}, {reach(curves[name], 'rows')}",
            exponent(curves[name]),
            ROW_BOUND,
            ends(curves[name]),
        )
    yield stated(
        f"exponent of the time of KernelDensity, {reach(curves['kde'], 'rows')}",
        f"{digits(exponent(curves['kde']))} ({ends(curves['kde'])})",
    )
    for name, what in (("fit MB", "fit"), ("score MB", "score_samples")):
        size, value = curves[name][-1]
        yield stated(f"memory of {what}, {size} rows x {N_COLUMNS} columns", f"{value:.0f} MB")


def reach(curve, unit):
    """Tell the sizes a curve goes over: '1000 to 300000 rows'."""
    return f"{curve[0][0]} to {curve[-1][0]} {unit}"


def ends(curve):
    """Tell the times of the smallest and the largest size."""
    return f"{duration(curve[0][1])} to {duration(curve[-1][1])}"


def by_columns(sizes, options):
    """Score as many rows of growing width; KernelDensity was fitted on as many."""
    curves = {"score": [], "kde": []}
    n_rows = COLUMN_ROWS // (10 if options.small else 1)
    for n_columns in sizes:
        X = CorrelatedGaussian(n_columns).sample(n_rows, random_state=0)
        density = MADEDensity(HIDDEN, n_estimators=1, max_iter=1, random_state=0).fit(X)
        kde = KernelDensity(bandwidth=KDE_BANDWIDTH).fit(X)
        calls = [partial(model.score_samples, X) for model in (density, kde)]
        taken = in_turn(*calls, repeat=options.repeat)
        for name, values in zip(curves, taken, strict=True):
            curves[name].append((n_columns, statistics.median(values)))
    line = f"exponent of the time of score_samples, {reach(curves['score'], 'columns')}"
    row = at_most(line, exponent(curves["score"]), COLUMN_BOUND, ends(curves["score"]))
    kde_line = f"exponent of the time of KernelDensity, {reach(curves['kde'], 'columns')}"
    kde_text = f"{digits(exponent(curves['kde']))} ({ends(curves['kde'])})"
    return {"rows": [row, stated(kde_line, kde_text)], "curves": curves}


def draw(by_rows, by_columns, path):
    """Draw time by rows, time by columns and memory by rows."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    labels = {
        "fit": f"fit, {N_EPOCHS} epochs",
        "score": "score_samples",
        "kde": "KernelDensity",
    }
    panels = (
        (by_rows, f"rows x {N_COLUMNS} columns", "seconds", "", 0),
        (by_columns, f"columns x {COLUMN_ROWS} rows", "seconds", "", 0),
        (by_rows, f"rows x {N_COLUMNS} columns", "megabytes", " MB", 1),
    )
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
    for axis, (curves, of, unit, suffix, floor) in zip(axes, panels, strict=True):
        for number, (name, label) in enumerate(labels.items()):
            if name + suffix in curves:
                sizes, values = zip(*curves[name + suffix], strict=True)
                # Memory below a megabyte is of no interest, and none has no logarithm.
                values = np.array(values)
                values[values < floor] = np.nan
                axis.loglog(sizes, values, f"{'os^'[number]}-", color=f"C{number}", label=label)
        if floor:
            axis.set_ylim(bottom=floor)
        axis.set_xlabel(of)
        axis.set_ylabel(unit)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize="small")
    figure.savefig(path, dpi=120)
    plt.close(figure)
