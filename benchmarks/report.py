"""Tables and a picture of what quality.py has measured."""

import csv
import pathlib

import numpy as np
from store import load, path_of
from tables import PROTOCOLS

DOCS = pathlib.Path(__file__).parent.parent / "docs"
OURS = "MADEDensity"

# Best rows of others. Germain et al. 2015, table 4 (any model); for the other binary tables
# MADE with 8 orderings from Peharz et al. 2019, and the best of some twenty published
# columns.
BEST_BINARY = {
    "adult": (-13.12, "MADE"),
    "connect4": (-11.90, "MADE"),
    "dna": (-79.66, "MADE, mask sampling"),
    "mushrooms": (-9.55, "DARN"),
    "nltcs": (-5.99, "best published"),
    "plants": (-11.99, "best published"),
    "baudio": (-38.95, "best published"),
    "jester": (-51.29, "best published"),
    "accidents": (-26.32, "best published"),
    "mnist": (-86.64, "MADE, 2 layers, 32 masks"),
}
MADE_ROW = {
    "adult": -13.12,
    "connect4": -11.90,
    "dna": -79.66,
    "mushrooms": -9.68,
    "nltcs": -6.04,
    "plants": -12.32,
    "baudio": -38.95,
    "jester": -52.23,
    "accidents": -26.42,
    "mnist": -86.64,
}
# Uria et al. 2013 and 2014 (EoRNADE, 16 orderings); Ghalebikesabi et al. 2023.
BEST_SMALL = {
    "red-wine": (-8.76, "EoRNADE"),
    "red-wine-noise": (-8.76, "EoRNADE"),
    "half-wine": (-13.22, "AR_d-BP"),
    "half-parkinsons": (-7.21, "AR_d-BP"),
}


def results(protocol, table, method):
    """Return the scores and facts of the seeds that have been run, by seed."""
    loaded = {s: load(path_of(protocol, table, method, s)) for s in PROTOCOLS[protocol].seeds}
    return {seed: result for seed, result in loaded.items() if result is not None}


def mean_of(runs):
    """Average the mean scores of several splits."""
    return float(np.mean([scores.mean() for scores, _ in runs.values()]))


def standard_error(values):
    """Return the standard error of the mean."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def compared(protocol, peers):
    """Return, by table, the runs of MADEDensity and of each peer, and the peers with any.

    A peer counts by the seeds that MADEDensity has been run with too. One that has been run
    with none of them is left out of that table, and one that is in no table altogether.
    """
    found = {}
    for table in PROTOCOLS[protocol].tables:
        ours = results(protocol, table, OURS)
        others = {}
        for peer in peers:
            runs = results(protocol, table, peer)
            runs = {seed: runs[seed] for seed in ours if seed in runs}
            if runs:
                others[peer] = runs
        if others:
            found[table] = ours, others
    run = {peer for _, others in found.values() for peer in others}
    return found, [peer for peer in peers if peer in run]


def against_peers(peers, protocol="continuous", truth=()):
    """Rows of a protocol: means, and the difference to the best peer.

    `truth` has the name of the known density, if any: no peer, but a bound for all. Where a
    peer has been run with fewer seeds, their number follows its mean; rows of density zero,
    which count as the smallest positive float, do too.
    """
    found, shown = compared(protocol, [*truth, *peers])
    yield ["table", "rows x columns", OURS, *shown, "ahead of the best", "seconds"]
    for table, (ours, others) in found.items():
        about = next(iter(ours.values()))[1]
        yield [
            table,
            f"{about['n_rows']} x {about['n_columns']}",
            f"{mean_of(ours):.3f}",
            *(cell(others[peer], len(ours)) if peer in others else "" for peer in shown),
            ahead_of_best(ours, [others[peer] for peer in others if peer not in truth]),
            f"{np.median([about['seconds'] for _, about in ours.values()]):.0f}",
        ]


def cell(runs, n_seeds):
    """Write the mean, of how many seeds if not of all, and how many rows had density zero."""
    notes = [] if len(runs) == n_seeds else [f"{len(runs)} of {n_seeds} seeds"]
    n_zero = sum(about.get("n_zero", 0) for _, about in runs.values())
    notes += [f"{n_zero} rows of density 0"] if n_zero else []
    return f"{mean_of(runs):.3f}" + (f" ({', '.join(notes)})" if notes else "")


def ahead_of_best(ours, rivals):
    """Say whether MADEDensity is ahead of the rival that is best on their common seeds."""
    if not rivals:
        return ""
    gain, error = min((paired(ours, runs) for runs in rivals), key=lambda pair: pair[0])
    verdict = "tie" if abs(gain) <= error else ("yes" if gain > 0 else "no")
    return f"{verdict}: {gain:+.3f} ± {error:.3f}"


def paired(ours, other):
    """Mean difference over the other's splits, and its standard error (of one: over rows)."""
    differences = [ours[seed][0] - scores for seed, (scores, _) in other.items()]
    means = np.array([difference.mean() for difference in differences])
    error = standard_error(means if len(means) > 1 else differences[0])
    return float(means.mean()), error


def against_published():
    """Rows of the small protocols, whose other figures are published ones."""
    yield ["table", "splits", OURS, "standard error", "published", "by", "seconds"]
    for protocol in ("red-wine", "red-wine-noise", "half"):
        for table in PROTOCOLS[protocol].tables:
            runs = results(protocol, table, OURS)
            if not runs:
                continue
            means = np.array([scores.mean() for scores, _ in runs.values()])
            figure, model = BEST_SMALL[table]
            yield [
                table,
                len(runs),
                f"{means.mean():.3f}",
                f"{standard_error(means):.3f}",
                f"{figure:.2f}",
                model,
                f"{np.median([about['seconds'] for _, about in runs.values()]):.0f}",
            ]


def of_binary(configurations):
    """Rows of the binary protocol, by the configuration that validation rows choose."""
    yield ["table", "chosen", OURS, "standard error", "MADE", "best", "by", "seconds"]
    for protocol in ("binary", "mnist"):
        for table in PROTOCOLS[protocol].tables:
            found = {c: results(protocol, table, c) for c in (*configurations, OURS)}
            found = {c: next(iter(runs.values())) for c, runs in found.items() if runs}
            if not found:
                continue
            chosen = max(found, key=lambda c: found[c][1]["valid"])
            scores, about = found[chosen]
            figure, model = BEST_BINARY[table]
            yield [
                table,
                f"{chosen} of {len(found)}",
                f"{scores.mean():.3f}",
                f"{standard_error(scores):.3f}",
                f"{MADE_ROW[table]:.2f}",
                f"{figure:.2f}",
                model,
                f"{about['seconds']:.0f}",
            ]


def write(name, rows):
    """Print a table as Markdown and write it, as Markdown and for the docs, as CSV."""
    rows = [[str(cell) for cell in row] for row in rows]
    if len(rows) == 1:
        return
    rows_and_rule = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    text = "\n".join("| " + " | ".join(row) + " |" for row in rows_and_rule) + "\n"
    folder = DOCS / "benchmarks"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.md").write_text(text)
    with open(folder / f"{name}.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    print(f"\n{text}")


def as_number(cell):
    """Read a mean of all seeds, and nothing from other cells."""
    return float(cell.split()[0]) if cell and "seeds" not in cell else np.nan


def draw(rows, path):
    """Draw how far each method is from MADEDensity, a line for each table."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    header, *rows = rows
    peers = header[3:-2]
    figure, axes = plt.subplots(figsize=(8, 0.42 * len(rows) + 1.2), layout="constrained")
    places = np.arange(len(rows))[::-1]
    ours = np.array([float(row[2]) for row in rows])
    furthest = 0.4
    for number, peer in enumerate(peers):
        behind = np.array([as_number(row[3 + number]) for row in rows]) - ours
        furthest = max(furthest, np.nanmax(behind, initial=0))
        axes.plot(behind, places, "os^DvPX"[number], color=f"C{number}", label=peer, alpha=0.8)
    axes.axvline(0, color="black", label=OURS)
    axes.set_xscale("symlog", linthresh=0.1)
    axes.set_xlim(-100, 1.25 * furthest)
    axes.set_yticks(places, [row[0] for row in rows])
    axes.set_xlabel("held-out log-likelihood beside MADEDensity, nats per row")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="upper right", fontsize="small")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def write_reports():
    """Write every table there are results for, and the picture."""
    from peers import PEERS
    from quality import BINARY

    rows = list(against_peers(list(PEERS)))
    write("continuous", rows)
    if len(rows) > 1:
        draw(rows, DOCS / "_static" / "quality.png")
    write("few_columns", against_peers(list(PEERS), "few-columns", truth=("truth",)))
    write("published", against_published())
    write("binary", of_binary(list(BINARY)))
