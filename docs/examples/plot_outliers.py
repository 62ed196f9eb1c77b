"""
Find outliers, and say what is odd about them
=============================================

`MADEOutlierDetector` learns the density of a table as it is, without labels and with the
outliers in it. Rows of low density are outliers. The parts of a row's score tell which cells
make it one.
"""

# %%
# A table with outliers
# ---------------------
#
# The rows are benign tumours, and a tenth of them malignant. The labels are put aside: they
# serve to see how well the outliers are found.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import RocCurveDisplay, roc_auc_score

from skmade import MADEDensity, MADEOutlierDetector
from skmade.inspection import ContributionDisplay

tumours = load_breast_cancer(as_frame=True)
benign = tumours.data[tumours.target == 1]
malignant = tumours.data[tumours.target == 0].sample(40, random_state=0)
table = pd.concat([benign, malignant], ignore_index=True)
is_malignant = np.repeat([0, 1], [len(benign), len(malignant)])
print(f"{len(table)} rows, {is_malignant.mean():.0%} of them malignant")

# %%
# Fit and score
# -------------
#
# The density is MADEDensity, here with two members so that the example is quick. `min_scale`
# makes it smooth, as in the default of the detector: what counts is where rows are, not
# how often a value is repeated. Any other density estimator would do, and a Pipeline too.

density = MADEDensity(n_estimators=2, min_scale=0.1, random_state=0)
detector = MADEOutlierDetector(density, contamination=0.1).fit(table)
scores = detector.score_samples(table)

figure, ax = plt.subplots(figsize=(5.2, 4.8), layout="constrained")
forest = IsolationForest(random_state=0).fit(table)
for name, own, color in [
    ("MADEOutlierDetector", scores, "#0072B2"),
    ("IsolationForest", forest.score_samples(table), "#E69F00"),
]:
    curve_style = {"color": color}
    RocCurveDisplay.from_predictions(
        is_malignant, -own, name=name, ax=ax, curve_kwargs=curve_style
    )
ax.set(xlabel="share of benign rows", ylabel="share of malignant rows", title="Found first")
plt.show()
print(f"ROC AUC: {roc_auc_score(is_malignant, -scores):.3f}")

# %%
# The threshold
# -------------
#
# `contamination` is the share of the training rows that are taken for outliers. 'auto' knows no
# share. It takes for outliers what scores lower than all but half a percent of the rows of a
# Gaussian would. Only `offset_` depends on it, not the density.

automatic = MADEOutlierDetector(density, contamination="auto").fit(table)
for name, fitted in {"0.1": detector, "'auto'": automatic}.items():
    found = fitted.predict(table) == -1
    print(
        f"contamination={name}: {found.sum()} outliers, {found[is_malignant == 1].sum()} of "
        f"{is_malignant.sum()} malignant, threshold {fitted.offset_:.1f} nats"
    )

figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
bins = np.linspace(scores.min(), scores.max(), 50)
for label, color in [(0, "#0072B2"), (1, "#D55E00")]:
    name = "malignant" if label else "benign"
    ax.hist(scores[is_malignant == label], bins, alpha=0.6, color=color, label=name)
for fitted, style in [(detector, "--"), (automatic, ":")]:
    name = f"contamination={fitted.contamination!r}"
    ax.axvline(fitted.offset_, color="black", linestyle=style, label=name)
ax.set(xlabel="log-density [nats]", ylabel="rows")
ax.legend(loc="upper left", bbox_to_anchor=(0.1, 1), frameon=False)
plt.show()

# %%
# What is odd about a row
# -----------------------
#
# Each cell has a part of the log-density: how probable it is given cells before it. The picture
# shows the parts of the row of lowest density, beside those of all rows.

ContributionDisplay.from_estimator(detector, table, int(scores.argmin()), max_features=12)
plt.show()

# %%
# A row in the middle has no such cells.

middle = int(np.argsort(scores)[len(scores) // 2])
ContributionDisplay.from_estimator(detector, table, middle, max_features=12)
plt.show()
