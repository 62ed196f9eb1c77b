"""
Find malignant tumours without having seen one
==============================================

See log-densities at work as scores. A density learned from ordinary rows gives a low score
to rows that are not ordinary. Here the ordinary rows are benign tumours, described by 30
measurements each. The labels choose the training rows, and take no other part in training.
"""

# %%
# Fit on benign rows
# ------------------
#
# Some benign rows are kept apart, so that both classes of the test are new to the estimator.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from skmade import MADEDensity

table = load_breast_cancer(as_frame=True)
benign = table.data[table.target == 1]
malignant = table.data[table.target == 0]
train, benign_test = train_test_split(benign, test_size=100, random_state=0)

made = MADEDensity(n_estimators=4, random_state=0).fit(train)
print(f"{train.shape[0]} rows, {train.shape[1]} columns, {made.n_iter_} epochs")

# %%
# Score the rest
# --------------
#
# `score_samples` is the logarithm of a density in the units of the table. Columns that vary
# little make it large: a positive score is not an error. What ranks the rows is the order of
# the scores.

scores = {
    "benign": made.score_samples(benign_test),
    "malignant": made.score_samples(malignant),
}
is_malignant = np.repeat([0, 1], [len(benign_test), len(malignant)])
auc = roc_auc_score(is_malignant, -np.concatenate(list(scores.values())))
for name, score in scores.items():
    print(f"{name}: {len(score)} rows, median log-density {np.median(score):.1f} nats")
print(f"ROC AUC: {auc:.3f}")

# %%
# The histogram shows both classes, each as shares of its own rows.

figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
bins = np.histogram_bin_edges(np.concatenate(list(scores.values())), bins=45)
for name, score in scores.items():
    shares = np.full(len(score), 1 / len(score))
    ax.hist(score, bins=bins, weights=shares, alpha=0.6, label=name)
ax.set(
    xlabel="log-density [nats]",
    ylabel="share of the class",
    title=f"Learned from benign rows alone: ROC AUC {auc:.3f}",
)
ax.legend(loc="upper left")
plt.show()

# %%
# The most anomalous rows
# -----------------------
#
# The lowest scores of the test rows, with the class that the estimator never saw.

test_rows = np.concatenate([benign_test.index, malignant.index])
all_scores = np.concatenate(list(scores.values()))
for position in np.argsort(all_scores)[:5]:
    name = "malignant" if is_malignant[position] else "benign"
    print(f"row {test_rows[position]}: {all_scores[position]:.1f} nats, {name}")
