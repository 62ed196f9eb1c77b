"""
Fill in missing cells: draws or means
=====================================

Learn when to complete a table by draws and when by means. `MADEImputer` completes a table by
draws, given the observed cells of each row, or by conditional means. Means are the best
guesses of single cells. Draws vary as the cells of the table do, and several completed
tables show what the missing cells leave open.
"""

# %%
# Cells that are not missing by chance alone
# ------------------------------------------
#
# Five measurements of 178 wines. The color intensity is hidden in more than a third of them,
# and more often in strong wines, which tend to be dark. So the observed wines are too light
# on average. But whether the cell is missing depends on a cell that is there: cells are
# *missing at random*, and the other columns can make up for it.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.datasets import load_wine

from skmade import MADEDensity, MADEImputer

columns = ["alcohol", "flavanoids", "color_intensity", "hue", "proline"]
truth = load_wine(as_frame=True).data[columns]
strong = (truth["alcohol"] - truth["alcohol"].mean()) / truth["alcohol"].std()
hidden = np.random.RandomState(0).random_sample(len(truth)) < expit(1.5 * strong - 0.3)
table = truth.assign(color_intensity=truth["color_intensity"].mask(hidden))
print(f"{hidden.sum()} of {len(table)} cells of color_intensity are missing.")

# %%
# Complete the table
# ------------------
#
# Order-agnostic members can put the observed columns of any row first, so that draws are
# exact. The imputer is fitted once; what it does in `transform` may be set afterwards.

density = MADEDensity(n_estimators=2, order_agnostic=True, random_state=0)
imputer = MADEImputer(density, strategy="mean").fit(table)
means = imputer.transform(table)
imputer.set_params(strategy="sample")
draws = [imputer.set_params(random_state=seed).transform(table) for seed in range(20)]

# %%
# Wines with an observed color are grey. The others have their true color on the left, which
# the density has not seen, the conditional mean in the middle, and a draw on the right. The
# means are close together; the draws are spread as the true colors are.

figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained", sharey=True)
panels = {"truth": truth, "strategy='mean'": means, "strategy='sample'": draws[0]}
for ax, (title, rows), color in zip(axes, panels.items(), ["black", "C1", "C0"], strict=True):
    ax.plot("alcohol", "color_intensity", ".", data=rows[~hidden], color="0.75")
    ax.plot("alcohol", "color_intensity", ".", data=rows[hidden], color=color)
    ax.set(title=title, xlabel="alcohol")
axes[0].set_ylabel("color_intensity")
plt.show()

# %%
# What is computed from a completed table
# ---------------------------------------
#
# The mean and the standard deviation of the color intensity in all wines. Complete rows alone
# give too light a mean. Completed by conditional means, the table has about the right mean,
# but too small a spread. Each of the twenty drawn tables gives values of its own, and the
# truth lies within their range.

parts = {
    "complete rows": [table.dropna()],
    "strategy='mean'": [means],
    "strategy='sample'": draws,
}
results = {
    name: pd.DataFrame([rows["color_intensity"].agg(["mean", "std"]) for rows in tables])
    for name, tables in parts.items()
}
figure, axes = plt.subplots(1, 2, figsize=(10, 2.4), layout="constrained", sharey=True)
for ax, statistic in zip(axes, ["mean", "std"], strict=True):
    for (name, values), color in zip(results.items(), ["0.5", "C1", "C0"], strict=True):
        ax.plot(values[statistic], [name] * len(values), "o", color=color, alpha=0.5)
    ax.axvline(truth["color_intensity"].agg(statistic), color="black", linewidth=1)
    ax.set(xlabel=f"{statistic} of color_intensity (line: truth)")
    ax.margins(y=0.3)
plt.show()

# %%
# Rubin's rules join the results of several completed tables: the estimate is their average.
# Its variance is that of one complete table, and that between the tables on top. All are
# drawn from one density, whose own error is not in it.

estimates = results["strategy='sample'"]
estimate, between = estimates["mean"].mean(), estimates["mean"].var()
within = (estimates["std"] ** 2).mean() / len(table)
error = np.sqrt(within + (1 + 1 / len(draws)) * between)
print(f"truth: {truth['color_intensity'].mean():.2f}")
print(f"estimate: {estimate:.2f} with standard error {error:.2f}")
print(f"the error would be {np.sqrt(within):.2f} if no cell were missing")
