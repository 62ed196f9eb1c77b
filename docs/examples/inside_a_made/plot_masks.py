"""
The masks of a small MADE
=========================

A MADE is a network whose weights are multiplied by masks of zeros and ones. The masks follow
from two lists of numbers: the rank of each feature in the ordering, and the degree of each
hidden unit. This example draws them for four features and two hidden layers of six units.
"""

# %%
# Ranks and degrees
# -----------------
#
# The ordering lists the features in the order in which they are modelled. Here feature 2 is
# first, then 0, 3 and 1. The rank of a feature is its position in the ordering, from 1.

import matplotlib.pyplot as plt
import numpy as np

ordering = np.array([2, 0, 3, 1])
ranks = np.argsort(ordering) + 1
print("ranks of features 0..3:", ranks)

# %%
# A hidden unit of degree m may see the features of rank 1 to m. Degrees go from 1 to D - 1:
# a unit that saw all D features could not be shown to any output. They are spread evenly.

degrees = np.array([1, 1, 2, 2, 3, 3])

# %%
# Every mask is one comparison
# ----------------------------
#
# A row of a mask belongs to a unit, a column to what the unit may see. A hidden unit sees
# what has its own degree or a lower one. An output of rank d sees what is strictly below d.

masks = {
    "hidden layer 1": degrees[:, None] >= ranks[None, :],
    "hidden layer 2": degrees[:, None] >= degrees[None, :],
    "output": ranks[:, None] > degrees[None, :],
    "direct": ranks[:, None] > ranks[None, :],
}

# %%
# Does an output see an input?
# ----------------------------
#
# The product of the masks counts the paths from an input to an output. Feature 2 has rank 1:
# no path leads to its output, which is a bias alone. Feature 1 has rank 4: it sees all others.

paths = masks["output"].astype(int) @ masks["hidden layer 2"] @ masks["hidden layer 1"]
paths = paths + masks["direct"]
print(paths)
assert np.array_equal(paths > 0, ranks[:, None] > ranks[None, :])

# %%
# The picture shows the masks, and the paths with the features sorted by rank. A filled cell
# is a weight that stays. The sorted matrix is strictly lower triangular.

unit_labels = [f"m={m}" for m in degrees]
feature_labels = [f"x{j} (r={r})" for j, r in enumerate(ranks)]
labels = {
    "hidden layer 1": (unit_labels, feature_labels),
    "hidden layer 2": (unit_labels, unit_labels),
    "output": (feature_labels, unit_labels),
    "direct": (feature_labels, feature_labels),
}

figure, axes = plt.subplot_mosaic(
    [["hidden layer 1", "hidden layer 2", "output"], ["direct", "paths", "."]],
    figsize=(9, 6.4),
    layout="constrained",
)
figure.get_layout_engine().set(h_pad=0.12)
style = {"cmap": "Blues", "vmin": 0, "edgecolors": "white", "linewidth": 1.5}
for name, mask in masks.items():
    ax = axes[name]
    ax.pcolormesh(mask, vmax=1.4, **style)
    rows, columns = labels[name]
    ax.set_yticks(np.arange(len(rows)) + 0.5, rows)
    ax.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=90)

by_rank = paths[np.ix_(ordering, ordering)]
by_rank_labels = [feature_labels[j] for j in ordering]
ax = axes["paths"]
ax.pcolormesh(by_rank, **style)
ax.set_yticks(np.arange(4) + 0.5, by_rank_labels)
ax.set_xticks(np.arange(4) + 0.5, by_rank_labels, rotation=90)
for (row, column), count in np.ndenumerate(by_rank):
    color = "white" if count > by_rank.max() / 2 else "black"
    ax.text(column + 0.5, row + 0.5, count, ha="center", va="center", color=color)

for name, ax in axes.items():
    ax.set_title("paths, sorted by rank" if name == "paths" else name)
    ax.set_aspect("equal")
    ax.invert_yaxis()
    ax.tick_params(length=0)
plt.show()
