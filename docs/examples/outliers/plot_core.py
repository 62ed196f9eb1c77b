"""
Outliers that come in a cluster
===============================

Learn what to do when the outliers are among the training rows, and alike. A density learns a
cluster of outliers like any other rows, and then they are no outliers to it. With
`support_fraction`, `MADEOutlierDetector` finds the core of the table first and learns from
that.
"""

# %%
# Rows, a tenth of which are alike
# --------------------------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

from skmade import MADEDensity, MADEOutlierDetector
from skmade.inspection import DensityDisplay

rng = np.random.RandomState(0)
ordinary = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=450)
cluster = rng.normal([1.5, -1.5], 0.2, size=(50, 2))
rows = np.concatenate([ordinary, cluster])
is_outlier = np.repeat([0, 1], [450, 50])

# %%
# Learn from all rows, and from the core
# --------------------------------------
#
# Three quarters of the rows are the core: those that a Gaussian fitted to the core itself
# describes best. It is found in steps, from all rows on, and is too plain to be dense around a
# few rows.

density = MADEDensity(n_estimators=2, min_scale=0.1, random_state=0)
figure, axes = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained", sharey=True)
for share, ax in zip((1.0, 0.75), axes, strict=True):
    detector = MADEOutlierDetector(density, support_fraction=share).fit(rows)
    DensityDisplay.from_estimator(detector.estimator_, rows, ax=ax)
    left_out = rows[~detector.support_].T
    ax.scatter(*left_out, s=14, facecolors="none", edgecolors="#D55E00", label="left out")
    area = roc_auc_score(is_outlier, -detector.score_samples(rows))
    ax.set_title(f"support_fraction={share}: ROC AUC {area:.2f}")
axes[1].legend(loc="upper left")
plt.show()

# %%
# The rows that are left out, rings in the picture on the right, are the cluster and the least
# ordinary of the others. The density does without those, so it falls earlier: the threshold
# `offset_` goes by the scores of all rows, and takes that into account. Where the rows are
# clean, `support_fraction=1`, the default, learns more from them.
