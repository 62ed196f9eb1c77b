"""Tables and pictures of what has been measured, for the documentation."""

import csv
import pathlib

import numpy as np
from store import is_ours

# Where tables and pictures go, and whether pictures are drawn.
PICTURES = True
# In text: where runs have been made by more than one version of a package.
OR = " or "
DOCS = pathlib.Path(__file__).parent.parent / "docs"


def standard_error(values):
    """Return the standard error of the mean."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def write(name, rows):
    """Print a table as Markdown, and write it for the documentation, as CSV."""
    rows = [[str(cell) for cell in row] for row in rows]
    if len(rows) < 2:
        return
    folder = DOCS / "benchmarks"
    folder.mkdir(exist_ok=True)
    with open(folder / f"{name}.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    rows.insert(1, ["---"] * len(rows[0]))
    print("\n" + "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n")


def how(runs):
    """Say in a sentence how runs were made."""
    ours = listed(run["commit"] for run in runs if is_ours(run["method"]))
    others = listed(run["commit"] for run in runs if not is_ours(run["method"]))
    commits = f"Measured at commit {ours or others}"
    if ours and others and ours != others:
        commits += f" (others: {others})"
    # A line of several seeds names the first and the last.
    seeds = [int(seed) for run in runs for seed in str(run["seed"]).split("-")]
    first, last = min(seeds), max(seeds)
    seeds = f"seed {first}" if first == last else f"seeds {first} to {last}"
    versions = {}
    for run in runs:
        for name, number in run["versions"].items():
            versions.setdefault(name, set()).add(number)
    packages = ", ".join(f"{name} {OR.join(sorted(own))}" for name, own in versions.items())
    machines = OR.join(sorted({run["machine"] for run in runs}))
    threads = OR.join(sorted({str(run["threads"]) for run in runs}))
    return f"{commits}, {seeds}, on {machines}, threads: {threads}; {packages}.\n"


def listed(commits):
    """List commits, each once."""
    return ", ".join(f"``{commit}``" for commit in dict.fromkeys(commits))


def as_number(cell):
    """Read the figure that a cell begins with, if it is of all seeds."""
    cell = str(cell)
    return float(cell.split()[0]) if cell and "seeds" not in cell else np.nan


def beside(rows, ours, others, sign=1):
    """Return, by method, how much better its figure is than ours: a number for each row.

    `rows` are a table's, with its header; `ours` and `others` name columns of it. `sign` is -1
    for figures of which lower ones are better.
    """
    header, *rows = rows

    def column(name):
        return np.array([as_number(row[header.index(name)]) for row in rows])

    return {name: sign * (column(name) - column(ours)) for name in others if name in header}


def draw_beside(name, label, tables, differences, linear=0.1):
    """Draw how far each method is from ours, a line for each table, if there are any.

    The axis is linear up to `linear` nats or points to both sides, and logarithmic beyond.
    """
    differences = {m: own for m, own in differences.items() if not np.isnan(own).all()}
    if not (tables and differences and PICTURES):
        return
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 0.36 * len(tables) + 1.4), layout="constrained")
    places = np.arange(len(tables))[::-1]
    for number, (method, ahead) in enumerate(differences.items()):
        axes.plot(
            ahead,
            places,
            "os^DvPX<>*"[number % 10],
            color=f"C{number}",
            label=method,
            alpha=0.8,
        )
    axes.axvline(0, color="black", label="skmade")
    axes.set_xscale("symlog", linthresh=linear)
    everything = np.concatenate([*differences.values()])
    low, high = np.nanmin(everything, initial=0), np.nanmax(everything, initial=0)
    axes.set_xlim(1.4 * low - linear / 4, max(1.4 * high, linear / 2))
    axes.xaxis.set_major_formatter(lambda number, _: f"{number:+g}" if number else "0")
    axes.set_yticks(places, tables)
    axes.set_xlabel(f"{label}: to the left of the line, skmade is better")
    axes.grid(axis="y", alpha=0.3)
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside upper center",
        ncols=4,
        fontsize="small",
        frameon=False,
    )
    (DOCS / "_static").mkdir(exist_ok=True)
    figure.savefig(DOCS / "_static" / f"{name}.png", dpi=120)
    plt.close(figure)


def draw_bars(name, panels):
    """Draw figures of methods side by side: of each panel a title, figures by method, ends.

    Bars of skmade are dark.
    """
    if not (panels and PICTURES):
        return
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    n_bars = max(len(figures) for _, figures, _ in panels)
    size = 4 * len(panels), 0.3 * n_bars + 0.8
    figure, axes = plt.subplots(
        1, len(panels), squeeze=False, figsize=size, layout="constrained"
    )
    for ax, (title, figures, ends) in zip(axes[0], panels, strict=True):
        colors = ["#0072B2" if is_ours(method) else "0.75" for method in figures]
        bars = ax.barh(list(figures), list(figures.values()), color=colors)
        ax.bar_label(bars, fmt="%.3f", padding=3, fontsize="small")
        ax.set(title=title, xlim=ends)
        ax.invert_yaxis()
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(DOCS / "_static" / f"{name}.png", dpi=120)
    plt.close(figure)


def name_value(axes, value, place, color):
    """Write a value beside its point: to the left, but the widest one below."""
    offset, side = ((-8, 3), "right") if value != 256 else ((8, -16), "left")
    text = {"textcoords": "offset points", "color": color, "size": 13}
    axes.annotate(value, place, offset, ha=side, **text)


def draw_settings(name, lines, defaults):
    """Draw time beside quality: a line for each parameter, and a band for the defaults.

    A point is the label of a value, its time and its gain; `defaults` are gains of some seeds.
    """
    if np.isnan(defaults).any() or not PICTURES:
        return
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 5), layout="constrained")
    styles = ("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^")
    for (label, points), (color, marker) in zip(lines.items(), styles, strict=True):
        _, times, gains = zip(*points, strict=True)
        axes.plot(times, gains, color=color, marker=marker, markersize=8, label=label)
        for value, *place in points:
            name_value(axes, value, place, color)
    axes.plot(1, 0, "o", color="black", markersize=11, label="default")
    axes.axhspan(min(defaults), max(defaults), color="0.85", zorder=0, label="its three seeds")
    axes.margins(y=0.08)
    axes.set_xscale("log")
    axes.set_xticks(ticks := [0.125, 0.25, 0.5, 1, 2], [f"{tick:g}" for tick in ticks], size=12)
    axes.minorticks_off()
    axes.tick_params(axis="y", labelsize=12)
    axes.set_xlabel("time to fit (default: 1)", size=13)
    axes.set_ylabel("nats per cell (default: 0)", size=13)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=13, frameon=False)
    figure.savefig(DOCS / "_static" / f"{name}.png", dpi=120)
    plt.close(figure)
