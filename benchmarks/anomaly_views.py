"""What each view of MADEOutlierDetector sees of the tables that the density alone loses.

    python benchmarks/anomaly_views.py

Clean protocol of anomaly.py, seed 0. The picture has a point for each scored row: how rare it
is by the density, and by the Gaussian or the nearest rows, whichever finds it rarer. The table
has areas under the ROC curve, in percent, by each view; by the first member alone; by the
lowest of the log-probabilities of a row's features, each less its median in fit; by the sum of
what these lack of their medians (shortfalls); by the detector; and the share of rows whose
density the background tells, and no member.
"""

import argparse

import numpy as np
from anomaly import clean, split_table
from matplotlib.figure import Figure
from report import DOCS, write
from sklearn.metrics import roc_auc_score
from store import is_done, keep, measured

from skmade import MADEOutlierDetector
from skmade._anomaly.views import Views
from skmade._input import read_fitted
from skmade._prediction.background import background
from skmade._prediction.scoring import by_chunks, log_density_by_member
from skmade._table.encoding import transform

TABLES = ("cardio", "mnist", "celeba")
PICTURE = "anomaly_views"
COLORS = {0: "#9e9e9e", 1: "#D55E00"}
MAX_POINTS, MAX_BYTES = 800, 2**30


def looked_at(name):
    """Return rarities by each view (3, n), by parts of the density, and anomalies (n,)."""
    split = split_table(name, clean, 0)
    detector = MADEOutlierDetector().fit(split.train)
    ensemble, numbers = read_fitted(detector.estimator_, split.test)
    views = Views.from_state(detector._detection["views"])
    pairs = zip(views.tails, views.oddities(ensemble, numbers), strict=True)
    rarities = np.stack([-tail.log_share(oddity) for tail, oddity in pairs])
    lacking = views.typical.given_before - detector.score_features(split.test)
    scores = detector.estimator_.score_samples(split.test)
    by_background = background(ensemble.table, transform(ensemble.table, split.test)).sum(
        axis=1
    )
    by_member = by_chunks(log_density_by_member, ensemble, numbers, MAX_BYTES)
    parts = {
        "one member": -by_member[:, 0],
        "lowest feature": lacking.max(axis=1),
        "shortfalls": np.maximum(lacking, 0).sum(axis=1),
        "detector": -detector.score_samples(split.test),
    }
    share = (scores - by_background < np.log(1e-9) + np.log(2)).mean()
    return rarities, parts, share, split.is_anomaly


PROTOCOL, OURS = "anomaly-views", "MADEOutlierDetector"
VIEWS = ("density", "Gaussian", "nearest rows")


def areas_of(rarities, parts, share, odd):
    """Return areas in percent, and the share by the background, by name."""
    scores = dict(zip(VIEWS, rarities, strict=True)) | parts
    areas = {name: 100 * float(roc_auc_score(odd, own)) for name, own in scores.items()}
    return areas | {"share by the background": float(share)}


def rows_of_report():
    """Yield a row for each table that has been looked at."""
    for number, ((name, _, _), run) in enumerate(measured(PROTOCOL).items()):
        areas = run["areas"]
        *views, share = areas
        if number == 0:
            yield ["table", *areas]
        yield [name, *(f"{areas[view]:.1f}" for view in views), f"{areas[share]:.3f}"]


def draw(found, path):
    """Draw how rare rows are by the density, and by what else finds them rare."""
    figure = Figure(figsize=(4 * len(found), 3.8), layout="constrained")
    axes = figure.subplots(1, len(found), squeeze=False)[0]
    for ax, (name, (rarities, _, _, odd)) in zip(axes, found.items(), strict=True):
        rng = np.random.RandomState(0)
        for kind, label in enumerate(("normal", "anomalies")):
            rows = rng.permutation(np.flatnonzero(odd == kind))[:MAX_POINTS]
            shown = np.minimum(rarities[:, rows], np.quantile(rarities, 0.99))
            ax.scatter(shown[0], shown[1:].max(axis=0), s=5, color=COLORS[kind], label=label)
        ax.axline((0, 0), slope=1, color="black", linewidth=0.8)
        ax.set(title=name, xlabel="rarity by the density [nats]")
    axes[0].set(ylabel="by the Gaussian or the nearest rows [nats]")
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=90)


def write_reports():
    """Write the table of what has been run."""
    write(PICTURE, rows_of_report())


def main():
    """Look at the tables asked for: all three are drawn together."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", action="store_true", help="run nothing")
    done = all(is_done(PROTOCOL, name, OURS, 0) for name in TABLES)
    if not parser.parse_args().report and not done:
        found = {name: looked_at(name) for name in TABLES}
        for name, own in found.items():
            keep(PROTOCOL, name, OURS, 0, {"areas": areas_of(*own)})
        draw(found, DOCS / "_static" / f"{PICTURE}.png")
    write_reports()


if __name__ == "__main__":
    main()
