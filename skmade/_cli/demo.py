"""A demonstration of `MADEDensity` on a real table: the command `skmade demo`."""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KernelDensity
from sklearn.preprocessing import StandardScaler

from .._density import MADEDensity
from ..inspection._style import MARKED, MODEL, MODELS, tidy

# Of drawn rows these columns are printed, and the last two are in the picture: mean radius,
# texture and area, and the errors of radius and area.
SHOWN = [0, 1, 3, 10, 13]

NOTES = """log-likelihood: mean of the held-out benign rows, in nats; higher is better
AUROC: malignant against held-out benign rows, the score is -score_samples
seconds: to search hyperparameters (KernelDensity, GaussianMixture), fit and score"""


def demo(output: Path, seed: int) -> None:
    """Compare densities on a real table, then look at what `MADEDensity` has learned."""
    densities = default_densities(seed)
    made = densities["MADEDensity"]
    show_progress(made)
    table = load_table(seed)
    held_out = f"{sum(table.benign)} benign and {sum(~table.benign)} malignant rows"
    print(f"Breast cancer table, {len(table.feature_names)} columns, standardised.")
    print(f"Learned from: {len(table.train)} benign rows. Held out: {held_out}.", flush=True)
    # The comparison is printed as a whole: progress bars would come between its lines.
    lines = [evaluate(name, density, table) for name, density in densities.items()]
    print(f"\n{'log-likelihood':>32}{'AUROC':>9}{'seconds':>10}", *lines, NOTES, sep="\n")
    scores = made.score_samples(table.scaled[table.held_out])
    print_anomalies(scores, table)
    drawn = table.scaler.inverse_transform(made.sample(sum(table.target), random_state=seed))
    print(f"\n5 drawn rows, 5 of {len(table.feature_names)} columns, in the table's units")
    print(*(f"{name:>14}" for name in table.feature_names[SHOWN]), sep="")
    np.savetxt(sys.stdout, drawn[:5, SHOWN], fmt="%14.3f", delimiter="")
    try:
        draw_picture(scores, drawn, table).savefig(output, format="png")
        print(f"\nPicture: {output}")
    except ImportError:
        print('\nNo picture, as matplotlib is missing: pip install "skmade[plot]"')


def default_densities(seed: int) -> dict[str, Any]:
    """Return the densities to compare; `MADEDensity` is used as it comes."""
    # Searched by the score of each: folds are of one size, so that sums rank as means do.
    mixture = GaussianMixture(max_iter=500, random_state=seed)
    mixtures = {
        "n_components": [1, 2, 3, 4],
        "covariance_type": ["full", "diag"],
        "reg_covar": [1e-3, 1e-2, 1e-1],
    }
    return {
        "KernelDensity": GridSearchCV(KernelDensity(), {"bandwidth": np.geomspace(0.1, 3, 20)}),
        "GaussianMixture": GridSearchCV(mixture, mixtures),
        "IsolationForest": IsolationForest(random_state=seed),
        "MADEDensity": MADEDensity(random_state=seed),
    }


def show_progress(density: Any) -> None:
    """Give the density a progress bar, if there is a terminal to show it on."""
    if sys.stdout.isatty():  # in a file, the bar would end up among the results
        from sklearn.callback import ProgressBar

        try:
            density.set_callbacks(ProgressBar())
        except ImportError:
            print('No progress bar, as rich is missing: pip install "skmade[plot]"')


def load_table(seed: int) -> Any:
    """Hold out a fifth of the benign rows of the breast cancer table and all malignant ones.

    To what scikit-learn returns, where a target of 1 is benign, are added: `train` and
    `held_out`, positions of rows; `benign`, which of those held out are; the `scaler` of the
    training rows; and all rows `scaled` by it.
    """
    table = load_breast_cancer()
    benign = np.flatnonzero(table.target)
    table.train, _ = train_test_split(benign, test_size=0.2, random_state=seed)
    table.held_out = np.setdiff1d(np.arange(len(table.data)), table.train)
    table.benign = table.target[table.held_out] == 1
    table.scaler = StandardScaler().fit(table.data[table.train])
    table.scaled = table.scaler.transform(table.data)
    return table


def evaluate(name: str, density: Any, table: Any) -> str:
    """Fit to the training rows and score the held-out ones: a line of the comparison."""
    start = time.perf_counter()
    scores = density.fit(table.scaled[table.train]).score_samples(table.scaled[table.held_out])
    likelihood = "-" if name == "IsolationForest" else f"{scores[table.benign].mean():.2f}"
    auroc = roc_auc_score(~table.benign, -scores)
    return f"{name:<16}{likelihood:>16}{auroc:>9.3f}{time.perf_counter() - start:>10.1f}"


def print_anomalies(scores: NDArray[np.float64], table: Any) -> None:
    """List the held-out rows of lowest density, and where they are unusual."""
    where = "furthest from the benign mean, in standard deviations"
    print("\nThe 5 most anomalous held-out rows by MADEDensity")
    print(f"{'row':>5}  {'class':<9}  {'log-density':>11}  {where}")
    for score, row in sorted(zip(scores, table.held_out, strict=True))[:5]:
        distances = table.scaled[row]
        furthest = np.argsort(-np.abs(distances))[:3]
        where = ", ".join(f"{table.feature_names[j]} {distances[j]:+.1f}" for j in furthest)
        print(f"{row:>5}  {table.target_names[table.target[row]]:<9}  {score:>11.1f}  {where}")


def draw_picture(scores: NDArray[np.float64], drawn: NDArray[np.float64], table: Any) -> Any:
    """Draw two columns of real and of drawn rows, and the scores as shares of each class."""
    # Figure alone, without pyplot, leaves matplotlib's global state as it is.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), dpi=150, layout="constrained")
    title = f"MADEDensity fitted to {len(table.train)} benign rows of the breast cancer table"
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    groups = {"real": table.data[table.target == 1], "drawn": drawn}
    for (kind, rows), color, marker in zip(groups.items(), MODELS, "o^", strict=False):
        style = {"color": color, "marker": marker, "s": 16, "alpha": 0.65, "linewidths": 0}
        left.scatter(*rows[:, SHOWN[-2:]].T, label=f"{len(rows)} {kind} rows", **style)
    left.set_title(f"Benign rows, 2 of {len(table.feature_names)} columns")
    left.set(xlabel="radius error (table's units)", ylabel="area error (table's units)")
    edges = np.linspace(scores.min(), scores.max(), 31)
    for label, color in [("malignant", MARKED), ("benign", MODEL)]:
        own = scores[table.benign == (label == "benign")]
        shares = 100 * np.histogram(own, edges)[0] / len(own)
        style = {"facecolor": (color, 0.45), "edgecolor": color, "linewidth": 1}
        right.stairs(shares, edges, fill=True, label=f"{len(own)} {label} rows", **style)
    right.set_title(f"Held-out rows (AUROC {roc_auc_score(~table.benign, -scores):.3f})")
    right.set_xlabel("log-density (nats, standardised columns)")
    right.set_ylabel("share of the class (%)")
    for axes in (left, right):
        tidy(axes)
        axes.title.set_fontsize("medium")
        axes.legend(loc="upper left", frameon=False)
    return figure
