"""
Three densities in one grid search
==================================

Learn to choose between kinds of densities by held-out rows. A step of a `Pipeline` is a
parameter like any other, so one `GridSearchCV` can try `KernelDensity`, `GaussianMixture`
and `MADEDensity` with settings of their own. What they are compared by is the log-likelihood
of held-out rows.
"""

# %%
# One pipeline, three grids
# -------------------------
#
# Thirty measurements of the cell nuclei of 569 tumours. `KernelDensity` needs columns of one
# scale, so the scaler stays in front of all three. One member, which gives up after five
# epochs without a gain, keeps the search short.

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skmade import MADEDensity
from skmade.metrics import mean_log_likelihood

table = load_breast_cancer(as_frame=True).data
train, test = train_test_split(table, random_state=0)

made = MADEDensity(n_estimators=1, n_iter_no_change=5, random_state=0)
pipeline = Pipeline([("scale", StandardScaler()), ("density", KernelDensity())])
grid = [
    {
        "density": [KernelDensity()],
        "density__bandwidth": [0.25, 0.3, 0.4, 0.5, 0.7, 1.0],
    },
    {
        "density": [GaussianMixture(random_state=0)],
        "density__covariance_type": ["full", "diag"],
        "density__n_components": [1, 2, 3, 4, 6, 8, 10],
    },
    {
        "density": [made],
        "density__n_components": [1, 3, 10],
    },
]

# %%
# `mean_log_likelihood` is the mean per row of `score_samples`, which all three have. Their
# own `score` is no common measure: it is a total in `KernelDensity` and `MADEDensity`, and a
# mean in `GaussianMixture`.

search = GridSearchCV(pipeline, grid, scoring=mean_log_likelihood, cv=3, refit=False).fit(train)
results = pd.DataFrame(search.cv_results_)
results["name"] = [type(density).__name__ for density in results["param_density"]]
best = results.loc[results.groupby("name", sort=False)["mean_test_score"].idxmax()].set_index(
    "name"
)
for name, setting in best["params"].items():
    found = {key.removeprefix("density__"): value for key, value in setting.items()}
    found.pop("density")
    print(f"{name}: {found}, {best['mean_test_score'][name]:.2f} nats per held-out row")

# %%
# Held-out log-likelihood
# -----------------------
#
# A dot is a setting on one fold, and a line the mean of the folds. The kernels of
# `KernelDensity` are round, but these columns are strongly correlated. `GaussianMixture` with
# full covariances follows that, and too many components learn single rows by heart.
# `MADEDensity` stops training by rows of its own that it holds out, so that its settings
# matter less. (Densities may exceed one, so a log-likelihood may be positive.)

curves = [
    ("KernelDensity", "bandwidth", None, "#E69F00"),
    ("GaussianMixture", "n_components", "full", "#009E73"),
    ("GaussianMixture", "n_components", "diag", "#56B4E9"),
    ("MADEDensity", "n_components", None, "#0072B2"),
]
folds = [f"split{number}_test_score" for number in range(search.n_splits_)]
figure, axes = plt.subplots(1, 3, figsize=(10, 3.8), layout="constrained", sharey=True)
axes = dict(zip(["KernelDensity", "GaussianMixture", "MADEDensity"], axes, strict=True))
for name, parameter, covariance, color in curves:
    own = results[results["name"] == name]
    if covariance:
        own = own[own["param_density__covariance_type"] == covariance]
    ax, values = axes[name], own[f"param_density__{parameter}"].to_numpy(float)
    ax.plot(values, own["mean_test_score"], color=color, label=covariance)
    ax.plot(values, own[folds], ".", color=color, markersize=5)
    ax.set(title=name, xlabel=parameter, xscale="log")
    ax.set_xticks(values, [f"{value:g}" for value in values])
    ax.minorticks_off()
    ax.grid(axis="y", color="0.92")
axes["GaussianMixture"].legend(title="covariance_type", frameon=False, loc="upper right")
axes["KernelDensity"].set(ylabel="log-likelihood [nats per held-out row]", ylim=(-45, 8))
plt.show()

# %%
# The test rows
# -------------
#
# They took no part in the search. The best setting of each density is fitted to all training
# rows, `MADEDensity` with more members, which need not be searched: on average they help.

for name, setting in best["params"].items():
    fitted = clone(pipeline).set_params(**setting)
    if name == "MADEDensity":
        fitted.set_params(density__n_estimators=4)
    print(f"{name}: {mean_log_likelihood(fitted.fit(train), test):.2f} nats per test row")
