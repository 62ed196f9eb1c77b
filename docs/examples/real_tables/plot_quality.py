"""
See whether drawn rows stand for real ones
==========================================

Learn to judge drawn rows, whoever drew them. Four samplers draw rows of one table: one that
shuffles columns, one that repeats what it has seen, a mixture of Gaussians, and
`MADEDensity`. Three metrics tell them apart, and a picture shows where rows go wrong. No
metric is enough alone.
"""

# %%
# A table and four samplers
# -------------------------
#
# Cells of 569 tumours: ten numbers, and the diagnosis, a label. Half of the rows are held out.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.mixture import GaussianMixture

from skmade import MADEDensity
from skmade.inspection import QualityDisplay
from skmade.metrics import c2st, nearer_share, train_on_synthetic

data = load_breast_cancer(as_frame=True)
table = data.data.iloc[:, :10].rename(columns=lambda name: name.removeprefix("mean "))
table["diagnosis"] = data.target_names[data.target]
train, held_out = table[::2], table[1::2]
rng = np.random.RandomState(0)
n_drawn = len(held_out)

# %%
# A mixture of Gaussians has no labels: each diagnosis gets one of its own.

parts = [
    pd.DataFrame(
        GaussianMixture(2, reg_covar=1e-6, random_state=0)
        .fit(rows.drop(columns="diagnosis"))
        .sample(round(n_drawn * len(rows) / len(train)))[0],
        columns=table.columns[:-1],
    ).assign(diagnosis=label)
    for label, rows in train.groupby("diagnosis")
]
numbers = train.drop(columns="diagnosis")
noise = 0.01 * numbers.std().to_numpy() * rng.normal(size=numbers.shape)
drawn = {
    "shuffled columns": pd.DataFrame({c: rng.permutation(train[c].to_numpy()) for c in train}),
    "copies with noise": train.assign(**(numbers + noise)),
    "Gaussian mixtures": pd.concat(parts, ignore_index=True),
    "MADEDensity": MADEDensity(n_estimators=2, random_state=0)
    .fit(train)
    .sample(n_drawn, random_state=0),
}

# %%
# Three metrics
# -------------
#
# `c2st` is 1 if a classifier can't tell drawn rows from held-out ones, and 0 if it always can.
# `train_on_synthetic` trains on drawn rows, and predicts the diagnosis of held-out ones: the
# area under the ROC curve. `nearer_share` is the share of drawn rows that are nearer to the
# rows of training than to held-out ones, and should be a half.

rows = {"the rows of training": train, **drawn}
figures = pd.DataFrame(
    {
        name: {
            "c2st": c2st(held_out, own, random_state=0),
            "train_on_synthetic": train_on_synthetic(
                own, held_out, "diagnosis", random_state=0
            ),
            "nearer_share": nearer_share(own, train, held_out, random_state=0),
        }
        for name, own in rows.items()
    }
)
print(figures.T.round(2).to_string())

# %%
# Shuffled columns teach nothing of the diagnosis, and a classifier tells them from real rows.
# Copies pass both tests, as they are real rows all but a little: `nearer_share` alone finds
# them.

# %%
# Where rows go wrong
# -------------------
#
# The columns of shuffled rows are right, each by itself. Their pairs are not.

QualityDisplay.from_samples(held_out, drawn["shuffled columns"], random_state=0)
plt.show()

# %%
# The rows that `MADEDensity` draws are about as far from held-out rows as other real rows would
# be by chance, which the grey bars tell.

QualityDisplay.from_samples(held_out, drawn["MADEDensity"], random_state=0)
plt.show()
