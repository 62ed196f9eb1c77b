"""
Two moons beside KernelDensity
==============================

See how near a learned density comes to the true one. Rows come from a distribution whose
density is known, so that an estimate can be compared with more than another estimate. All
three pictures have the same colour scale, and the titles give the mean log-likelihood of
rows that no estimator has seen.
"""

# %%
# Fit both estimators
# -------------------
#
# The bandwidth of KernelDensity is searched by cross-validation. MADEDensity stops by itself
# on rows that it holds out of training.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity

from skmade import MADEDensity
from skmade.datasets import TwoMoons
from skmade.metrics import mean_log_likelihood

truth = TwoMoons(noise=0.1)
train = truth.sample(2000, random_state=0)
test = truth.sample(2000, random_state=1)

bandwidths = np.geomspace(0.01, 1, 20)
search = GridSearchCV(KernelDensity(), {"bandwidth": bandwidths}).fit(train)
kde = search.best_estimator_
made = MADEDensity(n_estimators=4, random_state=0).fit(train)
print(f"KernelDensity: bandwidth {kde.bandwidth:.3f}")
print(f"MADEDensity: {made.n_iter_} epochs, {made.n_estimators} members")

# %%
# Compare the densities
# ---------------------

x = np.linspace(-1.6, 2.6, 160)
y = np.linspace(-1.1, 1.6, 120)
grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)

models = {"truth": truth, "KernelDensity": kde, "MADEDensity": made}
figure, axes = plt.subplots(1, 3, figsize=(9, 2.5), layout="compressed", sharey=True)
for ax, (name, model) in zip(axes, models.items(), strict=True):
    density = np.exp(model.score_samples(grid)).reshape(len(y), len(x))
    image = ax.pcolormesh(x, y, density, cmap="magma", vmin=0, vmax=0.75)
    ax.set_title(f"{name}\n{mean_log_likelihood(model, test):.3f} nats per row", fontsize=11)
    ax.set_aspect("equal")
figure.colorbar(image, ax=axes, label="density")
plt.show()

# %%
# Draw rows
# ---------
#
# The fitted density also draws rows. KernelDensity keeps its training rows for that; a
# MADEDensity keeps weights instead.

drawn = made.sample(2000, random_state=0)
figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.1), layout="constrained")
for ax, (name, rows) in zip(axes, [("training", train), ("drawn", drawn)], strict=True):
    ax.plot(rows[:, 0], rows[:, 1], ".", markersize=2, alpha=0.6)
    ax.set(title=f"{name} rows", xlim=x[[0, -1]], ylim=y[[0, -1]], aspect="equal")
plt.show()
