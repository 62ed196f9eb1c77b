"""
Look at a density
=================

Learn which picture answers which question. The displays of `skmade.inspection` answer five
questions about a fitted density: how did training go, what was learned, is it calibrated, do
its draws look like the data, and what makes a row unusual. They follow scikit-learn's
displays, and take its density estimators too.
"""

# %%
# Fit three densities
# -------------------
#
# Four columns of the wine table; every third row is held out. `min_scale` keeps values that
# occur several times, as some of alcohol do, from becoming peaks.

import matplotlib.pyplot as plt
from sklearn.datasets import load_wine
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmade import MADEDensity
from skmade.inspection import (
    CalibrationDisplay,
    ContributionDisplay,
    DensityDisplay,
    SampleDisplay,
    TrainingHistoryDisplay,
)

columns = ["alcohol", "flavanoids", "color_intensity", "proline"]
table = load_wine(as_frame=True).data[columns]
held_out = table.index % 3 == 0
train, test = table[~held_out], table[held_out]

made = MADEDensity(
    n_estimators=2, order_agnostic=True, n_masks=8, min_scale=0.1, random_state=0
).fit(train)
kde = make_pipeline(StandardScaler(), KernelDensity(bandwidth=0.2)).fit(train)
mixture = GaussianMixture(3, random_state=0).fit(train)

# %%
# How training went
# -----------------
#
# Training stops when the rows that members hold out gain no more. The training rows are scored
# while weights change and units are dropped, so that their curve is not the higher one from
# the start.

TrainingHistoryDisplay.from_estimator(made)
plt.show()

# %%
# What was learned
# ----------------
#
# Single columns are on the diagonal, pairs below it. Order-agnostic members know the density of
# any columns by themselves, which is quick.

DensityDisplay.from_estimator(made, train)
plt.show()

# %%
# Other densities have no scores of rows with missing cells: rows are drawn from them, and
# smoothed. A density in a Pipeline is shown in the columns behind the transformers.

DensityDisplay.from_estimator(kde, train, features=["flavanoids", "proline"], random_state=0)
plt.show()

# %%
# Whether it is calibrated
# ------------------------
#
# Held-out rows should be as dense as the rows that the model draws: their curve is then near
# the diagonal. The kernels of KernelDensity are too narrow here. Held-out rows lie between
# them, and are less dense than its draws.

figure, ax = plt.subplots(figsize=(5.2, 5), layout="constrained")
for density in (made, kde, mixture):
    CalibrationDisplay.from_estimator(density, test, random_state=0, ax=ax)
plt.show()

# %%
# Whether draws look like the data
# --------------------------------

SampleDisplay.from_estimator(made, train, n_drawn=2000, random_state=0)
plt.show()

# %%
# What makes a row unusual
# ------------------------
#
# The held-out row of lowest density beside the training rows.

lowest = made.score_samples(test).argmin()
ContributionDisplay.from_estimator(made, train, test.iloc[[lowest]])
plt.show()

# sphinx_gallery_thumbnail_number = 2
