"""
Orderings and members
=====================

See why several orderings are averaged. A MADE models the columns one after the other, in
some ordering. Any ordering can describe any density, but what is learned from few rows
differs. So `MADEDensity` averages the densities of several: of members, which are networks
of their own, or of masks, for which one network is trained.
"""

# %%
# Two orderings of two columns
# ----------------------------
#
# 300 rows of a ring. One member first models x and then y given x, the other one the other
# way round. The average is that of eight members, each with an ordering drawn at random.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import logsumexp
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skmade import MADEDensity
from skmade.datasets import Ring
from skmade.metrics import mean_log_likelihood

truth = Ring()
train, test = truth.sample(300, random_state=0), truth.sample(5000, random_state=1)
models = {
    "truth": truth,
    "x, then y": MADEDensity(n_estimators=1, ordering=[0, 1], random_state=0).fit(train),
    "y, then x": MADEDensity(n_estimators=1, ordering=[1, 0], random_state=0).fit(train),
    "eight members": MADEDensity(n_estimators=8, random_state=0).fit(train),
}

# %%
# A member makes out details that are not there: rows are few. The other ordering makes out
# others, and the average has less of them. The titles have the mean log-likelihood of 5000
# new rows.

line = np.linspace(-2.8, 2.8, 140)
grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
figure, axes = plt.subplots(1, 4, figsize=(9.5, 3), layout="compressed", sharey=True)
for ax, (name, model) in zip(axes, models.items(), strict=True):
    density = np.exp(model.score_samples(grid)).reshape(len(line), -1)
    ax.pcolormesh(line, line, density, cmap="magma", vmin=0, vmax=0.25)
    ax.set_title(f"{name}\n{mean_log_likelihood(model, test):.3f} nats per row", fontsize=11)
    ax.set_xlabel("x")
    ax.set_aspect("equal")
axes[0].set_ylabel("y")
plt.show()

# %%
# More members, or more orderings of one
# --------------------------------------
#
# Half of the wine table, 13 columns. Eight single members differ in their random orderings,
# in their initial weights and in the rows that they hold out. `n_estimators=8` averages such
# members; here they are fitted one by one, to see each of them, and the average of the first
# few. What is averaged are probabilities: the logarithm is taken after the mean. Of so few rows
# some members learn nothing beyond their start, of which `fit` warns.

warnings.simplefilter("ignore", ConvergenceWarning)
train, test = train_test_split(load_wine().data, test_size=0.5, random_state=0)
singles = [MADEDensity(n_estimators=1, random_state=seed).fit(train) for seed in range(8)]
scores = np.array([single.score_samples(test) for single in singles])
counts = np.arange(1, 9)
averages = [(logsumexp(scores[:k], axis=0) - np.log(k)).mean() for k in counts]

# %%
# The other way is one member that is trained for a list of `n_masks` orderings in turn.
# Training it takes less time than as many members do, and scoring takes as long.

n_masks = [1, 2, 4, 8, 16, 32]
agnostic = [
    mean_log_likelihood(
        MADEDensity(n_estimators=1, order_agnostic=True, n_masks=n, random_state=0).fit(train),
        test,
    )
    for n in n_masks
]

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(counts, scores.mean(axis=1), "o", color="0.6", label="each single member")
ax.plot(counts, averages, "o-", color="#0072B2", label="average of the first members")
ax.plot(n_masks, agnostic, "s--", color="#D55E00", label="one member, order_agnostic=True")
ax.set(xscale="log", xlabel="densities averaged", ylabel="log-likelihood [nats per test row]")
ax.set_xticks(n_masks, n_masks)
ax.minorticks_off()
ax.grid(axis="y", color="0.92")
ax.legend(frameon=False, loc="upper left")
ax.set_ylim(top=-18.6)
plt.show()

# %%
# An average of two is better than most single members, and each further one adds less. Which
# way is better depends on the table. Here columns are many and rows are few. Where columns
# are nearly functions of each other, one set of weights for many orderings is less precise.

print(f"single members: {scores.mean(axis=1).mean():.2f} nats on average")
print(f"their average: {averages[-1]:.2f} nats")
print(f"one member with 32 orderings: {agnostic[-1]:.2f} nats")
