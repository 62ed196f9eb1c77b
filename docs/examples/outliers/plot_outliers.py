"""
Find outliers, and say what is odd about them
=============================================

Learn to find odd rows among new ones, to bound false alarms, and to read what is odd.
`MADEOutlierDetector` tells how rare a row is among ordinary ones, makes p-values of that,
and says which cells are odd, and what would have been typical.
"""

# %%
# Ordinary rows, and new ones
# ---------------------------
#
# Ordinary rows are benign tumours. Of the new rows one in six is malignant. The labels serve to
# see how well these are found.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import RocCurveDisplay, roc_auc_score
from sklearn.model_selection import train_test_split

from skmade import MADEOutlierDetector
from skmade.inspection import ContributionDisplay

BLUE, ORANGE, RED = "#0072B2", "#E69F00", "#D55E00"
tumours = load_breast_cancer(as_frame=True)
benign = tumours.data[tumours.target == 1]
train, held_out = train_test_split(benign, test_size=0.5, random_state=0)
malignant = tumours.data[tumours.target == 0].sample(36, random_state=0)
new = pd.concat([held_out, malignant], ignore_index=True)
is_malignant = np.repeat([0, 1], [len(held_out), len(malignant)])
print(f"{len(train)} ordinary rows, {len(new)} new ones, {is_malignant.mean():.0%} malignant")

# %%
# Fit and score
# -------------
#
# The default looks at a row in three ways: its density, its distance from a Gaussian of the
# core of the rows, and its distance to the nearest rows.

detector = MADEOutlierDetector(contamination=0.05).fit(train)
scores = detector.score_samples(new)

figure, ax = plt.subplots(figsize=(5.2, 4.8), layout="constrained")
forest = IsolationForest(random_state=0).fit(train)
for name, own, color in [
    ("MADEOutlierDetector", scores, BLUE),
    ("IsolationForest", forest.score_samples(new), ORANGE),
]:
    style = {"color": color}
    RocCurveDisplay.from_predictions(is_malignant, -own, name=name, ax=ax, curve_kwargs=style)
ax.set(xlabel="share of benign rows", ylabel="share of malignant rows", title="Found first")
plt.show()
print(f"ROC AUC: {roc_auc_score(is_malignant, -scores):.3f}")

# %%
# The threshold
# -------------
#
# A score is the logarithm of a share: about a twentieth of new ordinary rows is as odd as one
# that scores log(0.05). `contamination` sets the threshold at such a share. 'auto' knows none:
# it takes for outliers what lies lower than all but half a percent of rows would.

automatic = MADEOutlierDetector(contamination="auto").fit(train)
for name, fitted in {"0.05": detector, "'auto'": automatic}.items():
    found = fitted.predict(new) == -1
    print(
        f"contamination={name}: {found[is_malignant == 1].sum()} of {is_malignant.sum()} "
        f"malignant, {found[is_malignant == 0].sum()} of {len(held_out)} benign rows"
    )

figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
bins = np.linspace(scores.min(), 0, 50)
for label, color in [(0, BLUE), (1, RED)]:
    name = "malignant" if label else "benign"
    ax.hist(scores[is_malignant == label], bins, alpha=0.6, color=color, label=name)
for fitted, style in [(detector, "--"), (automatic, ":")]:
    name = f"contamination={fitted.contamination!r}"
    ax.axvline(fitted.offset_, color="black", linestyle=style, label=name)
ax.set(xlabel="log of the share of ordinary rows that are as odd", ylabel="rows")
ax.legend(loc="upper left", bbox_to_anchor=(0.02, 1), frameon=False)
plt.show()

# %%
# P-values
# --------
#
# A p-value is the rank of a row's score among those of ordinary rows that were held out. Of new
# ordinary rows they are uniform. With a false discovery rate, `predict` looks at all rows
# together and calls outliers what lies below a line, up to the last row that does.

rate = 0.1
p_values = np.sort(detector.p_values(held_out)), np.sort(detector.p_values(malignant))
careful = MADEOutlierDetector(false_discovery_rate=rate).fit(train)
found = careful.predict(new) == -1
wrong = found[is_malignant == 0].sum()
print(f"{found.sum()} rows found, {wrong} of them benign")

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
for own, color, name in zip(p_values, (BLUE, RED), ("benign", "malignant"), strict=True):
    left.plot((np.arange(len(own)) + 0.5) / len(own), own, ".", color=color, label=name)
left.plot([0, 1], [0, 1], color="grey", linewidth=1)
left.set(xlabel="share of the rows", ylabel="p-value", title="Each kind of its own")
left.legend(frameon=False)
order = np.argsort(detector.p_values(new), kind="stable")[:60]
ranks = np.arange(1, len(order) + 1)
colors = np.where(is_malignant[order] == 1, RED, BLUE)
right.scatter(ranks, detector.p_values(new)[order], s=10, c=colors)
right.plot(ranks, rate * ranks / len(new), color="black", linewidth=1)
right.set(xlabel="rank among all new rows", title=f"False discovery rate {rate:g}")
plt.show()

# %%
# What is odd about a row
# -----------------------
#
# `explain` sets each cell beside its distribution given all other cells of the row, and tells
# the oddest ones.

oddest = new.iloc[[scores.argmin()]]
print(detector.explain(oddest, n_cells=5).round(4).to_string(index=False))

# %%
# The picture shows how probable each cell is given those before it, beside ordinary rows.

ContributionDisplay.from_estimator(detector, train, oddest, max_features=12)
plt.show()

# %%
# A row in the middle has no such cells.

middle = new.iloc[[np.argsort(scores)[len(scores) // 2]]]
ContributionDisplay.from_estimator(detector, train, middle, max_features=12)
plt.show()

# sphinx_gallery_thumbnail_number = 4
