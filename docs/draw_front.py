"""Draw the pictures of the README and of the start page, on one real table.

    python docs/draw_front.py

The table is that of the tour (docs/examples/first_steps). Log-likelihoods of other estimators
are read from docs/benchmarks/mixed.csv, where `benchmarks/mixed.py` has written them.
"""

import csv
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skmade import MADEDensity, MADEOutlierDetector
from skmade.inspection import ConditionalDisplay, ContributionDisplay

DOCS = Path(__file__).parent
STATIC = DOCS / "_static"
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "0.75"
SPECIES = {"Adelie": BLUE, "Chinstrap": ORANGE, "Gentoo": GREEN}
PEERS = ("independent columns", "Chow-Liu tree", "SPFlow mixture", "MADEDensity")


def draw_peers(ax):
    """How much better held-out rows are explained than by columns on their own."""
    with open(DOCS / "benchmarks" / "mixed.csv", newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["table"] == "penguins")
    figures = {name: float(row[name].split()[0]) for name in PEERS}
    colors = [BLUE if name == "MADEDensity" else GREY for name in PEERS]
    ax.scatter(figures.values(), PEERS, c=colors, s=60, zorder=2)
    for name, figure in figures.items():
        ax.annotate(
            f"{figure:.1f}", (figure, name), (8, 0), textcoords="offset points", va="center"
        )
    ax.grid(axis="y", color="0.9")
    ax.margins(x=0.25, y=0.2)
    ax.set_xlabel("held-out log-likelihood [nats a row]\n(higher is better)")
    ax.set_title("Score: mixed rows, integers as counts")


def draw_scores(ax, density, train, test):
    """Log-densities of held-out rows, and of rows whose columns were shuffled."""
    rng = np.random.RandomState(0)
    shuffled = test.apply(lambda cells: cells.sample(frac=1, random_state=rng).to_numpy())
    scores = {"held out": density.score_samples(test)}
    scores["columns shuffled"] = density.score_samples(shuffled)
    bins = np.histogram_bin_edges(np.concatenate(list(scores.values())), 30)
    for (name, values), color in zip(scores.items(), (BLUE, ORANGE), strict=True):
        ax.hist(values, bins, alpha=0.65, label=name, color=color)
    ax.set(xlabel="log-density of a row [nats]", yticks=[])
    ax.legend(frameon=False)


def draw_outlier(ax, detector, table):
    """What each cell of the oddest row adds to its log-density."""
    odd = int(np.argmin(detector.score_samples(table)))
    density = detector.estimator_
    ContributionDisplay.from_estimator(density, table, row=odd, max_features=5, ax=ax)
    ax.set_title("", loc="right")
    ax.set_title("Explain: why this row is an outlier")
    ax.set_xlabel("part of the log-density [nats]\n(grey: nine of ten rows)")


def draw_rows(ax, table, drawn):
    """Real rows and drawn ones in two columns."""
    for species, color in SPECIES.items():
        for rows, style in (
            (table, {"fc": color, "alpha": 0.3}),
            (drawn, {"fc": "none", "ec": color}),
        ):
            own = rows[rows["species"] == species]
            ax.scatter(own["bill_length_mm"], own["bill_depth_mm"], s=18, **style)
        ax.scatter([], [], s=18, fc=color, label=species)
    ax.legend(loc="upper left", frameon=False, ncols=3, columnspacing=0.5, handletextpad=0)
    ax.set(xlabel="bill_length_mm", ylabel="bill_depth_mm", ylim=(12.5, 23.7))
    ax.set_title("Draw: real rows (discs), new ones (rings)")


def draw_fan(ax, density, table):
    """Quantiles of one column along another."""
    ConditionalDisplay.from_estimator(density, table, "body_mass_g", "flipper_length_mm", ax=ax)
    ax.set_title("Ask: any column given any others")


def draw_completed(ax, density, holes):
    """Rows with holes, completed: the cells that were missing are in colour."""
    columns = {
        "bill_length_mm": "bill",
        "flipper_length_mm": "flipper",
        "body_mass_g": "mass",
        "sex": "sex",
    }
    full = density.impute(holes, random_state=0)
    colors = np.where(holes[list(columns)].isna(), "#F6C79B", "white")
    cells = full[list(columns)].map(
        lambda cell: f"{cell:g}" if isinstance(cell, float) else cell
    )
    shown = ax.table(
        cells.to_numpy(), colors, colLabels=list(columns.values()), bbox=(0, 0, 1, 1)
    )
    shown.auto_set_font_size(False)
    shown.set_fontsize(11)
    ax.axis("off")


def save(name, draw, size):
    """Save one picture of one pair of axes."""
    figure, ax = plt.subplots(figsize=size, layout="constrained", dpi=150)
    draw(ax)
    ax.set_title("")  # the card has one
    figure.savefig(STATIC / name)


def main():
    """Fit twice, and draw."""
    table = pd.read_csv(DOCS / "examples" / "first_steps" / "penguins.csv")
    held_out = table.index % 5 == 0
    train, test = table[~held_out], table[held_out]
    density = MADEDensity(random_state=0).fit(train)
    detector = MADEOutlierDetector().fit(table)
    drawn = density.sample(len(table), random_state=0)
    holes = table[table.isna().any(axis=1)].iloc[[0, 1, 2, 6, 10]]

    figure, axes = plt.subplots(2, 2, figsize=(10.5, 7.2), layout="constrained", dpi=150)
    figure.suptitle("344 penguins: labels, numbers and holes", fontsize="x-large")
    draw_peers(axes[0, 0])
    draw_outlier(axes[0, 1], detector, table)
    draw_rows(axes[1, 0], table, drawn)
    draw_fan(axes[1, 1], density, table)
    figure.savefig(STATIC / "front.png")

    cards = {
        "score": partial(draw_scores, density=density, train=train, test=test),
        "outliers": partial(draw_outlier, detector=detector, table=table),
        "draw": partial(draw_rows, table=table, drawn=drawn),
        "complete": partial(draw_completed, density=density, holes=holes),
        "ask": partial(draw_fan, density=density, table=table),
    }
    for name, draw in cards.items():
        save(f"card_{name}.png", draw, (4.4, 2.9))


if __name__ == "__main__":
    main()
