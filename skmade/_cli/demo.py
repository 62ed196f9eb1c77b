"""A demonstration of `MADEDensity` on a real table: the command `skmade demo`."""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KernelDensity
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from .._density import MADEDensity
from ..metrics import mean_log_likelihood

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

N_SHOWN = 5
N_FURTHEST = 3
SHOWN_COLUMNS = ("mean radius", "mean texture", "mean area", "radius error", "area error")
SCATTER_COLUMNS = ("radius error", "area error")

# Okabe and Ito's palette, which colour-blind readers can tell apart.
BLUE, ORANGE, VERMILION = "#0072B2", "#E69F00", "#D55E00"


@dataclass(frozen=True)
class Table:
    """The breast cancer table: benign rows to learn from, the others held out."""

    names: list[str]
    rows: Floats
    scaled: Floats  # standardised with the training rows
    scaler: Any
    benign: Booleans
    train: Integers
    held_out: Integers

    def column(self, name: str) -> int:
        """Return the position of a column."""
        return self.names.index(name)


@dataclass(frozen=True)
class Result:
    """How one density did on the held-out rows."""

    name: str
    density: Any
    scores: Floats  # of the held-out rows
    log_likelihood: float | None  # None: the scores are no log-densities
    auroc: float
    seconds: float


def load_table(seed: int) -> Table:
    """Split off a fifth of the benign rows and all malignant ones."""
    data = load_breast_cancer()
    benign = data.target == list(data.target_names).index("benign")
    train, _ = train_test_split(np.flatnonzero(benign), test_size=0.2, random_state=seed)
    scaler = StandardScaler().fit(data.data[train])
    return Table(
        names=[str(name) for name in data.feature_names],
        rows=data.data,
        scaled=scaler.transform(data.data),
        scaler=scaler,
        benign=benign,
        train=train,
        held_out=np.setdiff1d(np.arange(len(benign)), train),
    )


def default_densities(seed: int) -> dict[str, Any]:
    """Return the densities to compare; `MADEDensity` is used as it comes."""
    kernel = GridSearchCV(
        KernelDensity(), {"bandwidth": np.geomspace(0.1, 3, 20)}, scoring=mean_log_likelihood
    )
    mixture = GridSearchCV(
        GaussianMixture(max_iter=500, random_state=seed),
        {
            "n_components": [1, 2, 3, 4],
            "covariance_type": ["full", "diag"],
            "reg_covar": [1e-3, 1e-2, 1e-1],
        },
        scoring=mean_log_likelihood,
    )
    return {
        "KernelDensity": kernel,
        "GaussianMixture": mixture,
        "IsolationForest": IsolationForest(random_state=seed),
        "MADEDensity": MADEDensity(random_state=seed),
    }


def evaluate(name: str, density: Any, table: Table) -> Result:
    """Fit a density to the training rows and score the held-out ones."""
    start = time.perf_counter()
    density.fit(table.scaled[table.train])
    scores = density.score_samples(table.scaled[table.held_out])
    seconds = time.perf_counter() - start
    benign = table.benign[table.held_out]
    is_density = get_tags(density).estimator_type != "outlier_detector"
    return Result(
        name=name,
        density=density,
        scores=scores,
        log_likelihood=float(np.mean(scores[benign])) if is_density else None,
        auroc=float(roc_auc_score(~benign, -scores)),
        seconds=seconds,
    )


def describe_split(table: Table) -> str:
    """Say which rows are learned from and which are held out."""
    n_benign = int(table.benign[table.held_out].sum())
    n_malignant = len(table.held_out) - n_benign
    return (
        f"Breast cancer table, {len(table.names)} columns, standardised.\n"
        f"Learned from: {len(table.train)} benign rows. "
        f"Held out: {n_benign} benign and {n_malignant} malignant rows."
    )


def format_results(results: Sequence[Result]) -> str:
    """Lay out the comparison, a line for each density."""
    lines = [f"{'':<16}{'log-likelihood':>16}{'AUROC':>9}{'seconds':>10}"]
    for result in results:
        known = result.log_likelihood is not None
        likelihood = f"{result.log_likelihood:.2f}" if known else "-"
        lines.append(
            f"{result.name:<16}{likelihood:>16}{result.auroc:>9.3f}{result.seconds:>10.1f}"
        )
    notes = [
        "log-likelihood: mean of the held-out benign rows, in nats; higher is better",
        "AUROC: malignant against held-out benign rows, the score is -score_samples",
        "seconds: to search hyperparameters (KernelDensity, GaussianMixture), fit and score",
    ]
    return "\n".join([*lines, *notes])


def format_anomalies(result: Result, table: Table) -> str:
    """List the held-out rows of lowest density, and where they are unusual."""
    lines = [
        f"The {N_SHOWN} most anomalous held-out rows by {result.name}",
        f"{'row':>5}  {'class':<9}  {'log-density':>11}  "
        "furthest from the benign mean, in standard deviations",
    ]
    for position in np.argsort(result.scores)[:N_SHOWN]:
        row = table.held_out[position]
        distances = table.scaled[row]
        furthest = np.argsort(-np.abs(distances))[:N_FURTHEST]
        where = ", ".join(f"{table.names[j]} {distances[j]:+.1f}" for j in furthest)
        label = "benign" if table.benign[row] else "malignant"
        lines.append(f"{row:>5}  {label:<9}  {result.scores[position]:>11.1f}  {where}")
    return "\n".join(lines)


def format_drawn(drawn: Floats, table: Table) -> str:
    """Show a few columns of the first drawn rows, in the units of the table."""
    lines = [
        f"{N_SHOWN} drawn rows, {len(SHOWN_COLUMNS)} of {len(table.names)} columns, "
        "in the table's units",
        "".join(f"{name:>14}" for name in SHOWN_COLUMNS),
    ]
    columns = [table.column(name) for name in SHOWN_COLUMNS]
    for row in drawn[:N_SHOWN]:
        lines.append("".join(f"{row[column]:>14.3f}" for column in columns))
    return "\n".join(lines)


def draw_picture(result: Result, drawn: Floats, table: Table) -> "Figure":
    """Draw real beside drawn rows, and the scores of both classes."""
    # Figure alone, without pyplot, leaves matplotlib's global state as it is.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2)
    _plot_rows(left, drawn, table)
    _plot_scores(right, result, table)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize("medium")
    figure.suptitle(
        f"{result.name} fitted to {len(table.train)} benign rows of the breast cancer table"
    )
    return figure


def _plot_rows(axes: "Axes", drawn: Floats, table: Table) -> None:
    """Scatter two columns of the benign rows and of as many drawn ones."""
    x, y = (table.column(name) for name in SCATTER_COLUMNS)
    real = table.rows[table.benign]
    style: dict[str, Any] = {"s": 16, "alpha": 0.65, "linewidths": 0}
    axes.scatter(real[:, x], real[:, y], color=BLUE, label=f"{len(real)} real rows", **style)
    label = f"{len(drawn)} drawn rows"
    axes.scatter(drawn[:, x], drawn[:, y], color=ORANGE, marker="^", label=label, **style)
    axes.set(
        title=f"Benign rows, 2 of {len(table.names)} columns",
        xlabel=f"{SCATTER_COLUMNS[0]} (table's units)",
        ylabel=f"{SCATTER_COLUMNS[1]} (table's units)",
    )
    axes.legend(loc="upper left", frameon=False)


def _plot_scores(axes: "Axes", result: Result, table: Table) -> None:
    """Draw the histogram of the held-out rows' scores, as shares of each class."""
    benign = table.benign[table.held_out]
    bins = np.linspace(result.scores.min(), result.scores.max(), 31).tolist()
    classes = [("malignant", ~benign, VERMILION), ("benign", benign, BLUE)]
    for label, chosen, color in classes:
        axes.hist(
            result.scores[chosen],
            bins=bins,
            weights=np.full(chosen.sum(), 100 / chosen.sum()),
            histtype="stepfilled",
            facecolor=(color, 0.45),
            edgecolor=color,
            label=f"{chosen.sum()} {label} rows",
        )
    axes.set(
        title=f"Held-out rows (AUROC {result.auroc:.3f})",
        xlabel="log-density (nats, standardised columns)",
        ylabel="share of the class (%)",
    )
    axes.legend(loc="upper left", frameon=False)


def save_picture(result: Result, drawn: Floats, table: Table, output: Path) -> str:
    """Write the picture if matplotlib is there; return a line that says what was done."""
    try:
        figure = draw_picture(result, drawn, table)
    except ImportError:
        return 'No picture, as matplotlib is missing: pip install "skmade[plot]"'
    figure.savefig(output, format="png")
    return f"Picture: {output}"


def show_progress(density: Any) -> None:
    """Give the density a progress bar, if there is a terminal to show it on."""
    if not sys.stdout.isatty():
        return  # the bar goes to stdout, where it would end up among the results
    from sklearn.callback import ProgressBar

    try:
        density.set_callbacks(ProgressBar())
    except ImportError:
        print('No progress bar, as rich is missing: pip install "skmade[plot]"')


def run_demo(densities: Mapping[str, Any], output: Path, seed: int) -> None:
    """Compare the densities, then look at what the last one has learned."""
    table = load_table(seed)
    print(describe_split(table), flush=True)
    results = [evaluate(name, density, table) for name, density in densities.items()]
    made = results[-1]
    n_drawn = int(table.benign.sum())
    drawn = table.scaler.inverse_transform(made.density.sample(n_drawn, random_state=seed))
    print(f"\n{format_results(results)}", end="\n\n")
    print(format_anomalies(made, table), end="\n\n")
    print(format_drawn(drawn, table), end="\n\n")
    print(save_picture(made, drawn, table, output))


def demo(output: Path, seed: int) -> None:
    """Run the demonstration, with progress where it can be seen."""
    densities = default_densities(seed)
    show_progress(densities["MADEDensity"])
    run_demo(densities, output, seed)
