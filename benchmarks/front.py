"""One row of figures for the first page, read from the tables of the other pages.

It counts on how many tables ours is first, and names the best of the others where there is one
table or a mean. `pages.py` writes it with every report.
"""

import csv
import re

import numpy as np
import report


def rows_of(name):
    """Return the rows of a table of the docs, or none if it has not been written."""
    path = report.DOCS / "benchmarks" / f"{name}.csv"
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def numbers_of(row, names):
    """Return the figures of a row by name, of cells that begin with one."""
    figures = {name: report.as_number(row[name]) for name in names}
    return {name: figure for name, figure in figures.items() if not np.isnan(figure)}


def first_on(ahead):
    """Say on how many tables ours is first."""
    return f"first on {sum(ahead)} of {len(ahead)} tables"


def ahead_of_others(name):
    """Tell of each table of log-likelihoods whether MADEDensity is ahead, no tie."""
    cells = [row["ahead of the best"] for row in rows_of(name)]
    return [re.match(r"(yes: )?\+", cell) is not None for cell in cells if cell]


def binary():
    """Tell of each binary table whether ours is ahead of the best, which has two digits."""
    return [round(float(row["ours"]), 2) > float(row["best"]) for row in rows_of("binary")]


def conditionals():
    """Tell of each table of numbers whether a method of ours has the lowest loss."""
    rows = {row.pop("method"): row for row in rows_of("conditional_published")}
    tables = next(iter(rows.values()), {})
    by_table = [
        {method: float(row[table]) for method, row in rows.items() if row[table]}
        for table in tables
    ]
    return [min(losses, key=losses.get).startswith("MADE") for losses in by_table]


def completion():
    """Tell of each table with holes whether our median has the lowest error."""
    rows = [row for row in rows_of("imputation") if row["table"] != "mean"]
    left_out = {"table", "MADE sample", "MADE mean"}
    errors = [numbers_of(row, row.keys() - left_out) for row in rows]
    return [min(own, key=own.get) == "MADE median" for own in errors if len(own) > 1]


def best_of(figures, ours):
    """Say what ours is, and the best of the others with its name."""
    best = max(figures.keys() - {ours}, key=figures.get)
    return f"{figures[ours]:g}, {best.removesuffix(' (published)')} {figures[best]:g}"


def outliers():
    """Return the mean areas under the ROC curve of ours and of the best of the others."""
    mean = next((row for row in rows_of("anomaly") if row["table"].startswith("mean")), {})
    figures = numbers_of(mean, [name for name in mean if name not in ("table", "seconds")])
    return best_of(figures, "MADEOutlierDetector") if figures else ""


def drawn():
    """Return how well drawn rows of adult pass for real ones, ours and the best others."""
    figures = {
        row["method"]: numbers_of(row, ["C2ST"])["C2ST"]
        for row in rows_of("synthetic_adult")
        if row["method"] == "MADEDensity" or "(published)" in row["method"]
    }
    return best_of(figures, "MADEDensity") if figures else ""


def write_reports():
    """Write the row."""
    figures = {
        "mixed rows (log-likelihood)": first_on(ahead_of_others("mixed")),
        "numbers (log-likelihood)": first_on(ahead_of_others("continuous")),
        "binary rows (log-likelihood)": first_on(binary()),
        "y given x (log-density)": first_on(conditionals()),
        "completed cells (medians)": first_on(completion()),
        "drawn rows (C2ST, adult)": drawn(),
        "outliers (mean AUROC, %)": outliers(),
    }
    report.write("front", [list(figures), list(figures.values())])
    if report.PICTURES:  # not where tables are only checked
        write_readme(list(figures), list(figures.values()))


def write_readme(jobs, figures):
    """Write the row into the README, below the line that names the jobs."""
    path = report.DOCS.parent / "README.md"
    lines = path.read_text().split("\n")
    lines[lines.index(f"| {' | '.join(jobs)} |") + 2] = f"| {' | '.join(figures)} |"
    path.write_text("\n".join(lines))
