"""
The masks of a small MADE
=========================

You learn here why an output of a MADE sees only the columns before its own. A MADE is a network
whose weights are multiplied by masks of zeros and ones. The masks follow from two lists of
numbers: the rank of each column in the ordering, and the degree of each hidden unit. This
example draws network and masks for three columns and two hidden layers of four units.
"""

# %%
# Ranks and degrees
# -----------------
#
# The ordering lists the columns in the order in which they are modelled: here x2, then x3, then
# x1. The rank of a column is its position in the ordering, from 1.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

ordering = np.array([1, 2, 0])  # positions in the table
ranks = np.argsort(ordering) + 1
for column, rank in enumerate(ranks, start=1):
    print(f"x{column} has rank {rank}")

# %%
# A hidden unit of degree m may see the columns of rank 1 to m. Degrees go from 1 to D - 1:
# a unit that saw all D columns could not be shown to any output. They are spread evenly.

degrees = np.array([1, 1, 2, 2])

# %%
# Every mask is one comparison
# ----------------------------
#
# A row of a mask belongs to a unit, a column to what the unit may see. A hidden unit sees what
# has its own degree or a lower one. An output of rank d sees what is strictly below d. Here
# inputs and outputs are sorted by rank.

by_rank = ranks[ordering]
masks = {
    "input to layer 1": degrees[:, None] >= by_rank,
    "layer 1 to layer 2": degrees[:, None] >= degrees,
    "layer 2 to output": by_rank[:, None] > degrees,
}

# %%
# Does an output see an input?
# ----------------------------
#
# The product of the masks counts the paths from each input to each output. All are below the
# diagonal. No path leads to the output of rank 1, which is a bias alone. Four lead from the
# input of rank 1 to the output of rank 2. The output of rank 3 sees both columns before it. No
# path starts at the input of rank 3: no column comes after it.

first, second, last = (mask.astype(int) for mask in masks.values())
print(last @ second @ first)

# %%
# The picture
# -----------
#
# Units stand from left to right by rank or degree, which is written in them. No line leads to a
# lower number, and each line to an output leads to a higher one. On the right are the masks of
# the same lines: a filled cell is a weight that stays. Blue comes from what knows x2 alone,
# orange from what may know x3 too.

colors = {1: "#0072B2", 2: "#D55E00", 3: "0.45"}
inputs = [f"$x_{column + 1}$" for column in ordering]
outputs = ["$p(x_2)$", r"$p(x_3\,|\,x_2)$", r"$p(x_1\,|\,x_2, x_3)$"]
layers = [by_rank, degrees, degrees, by_rank]
spread = np.array([-0.2, 0.2, -0.2, 0.2])
places = [by_rank, degrees + spread, degrees + spread, by_rank]

plt.rcParams["font.size"] = 13
figure = plt.figure(figsize=(6.2, 6.4), layout="constrained")
figure.get_layout_engine().set(h_pad=0.1)
axes = figure.subplot_mosaic(
    [["network", name] for name in reversed(masks)], width_ratios=[2.2, 1]
)
ax = axes["network"]
for height, mask in enumerate(masks.values()):
    for unit, source in np.argwhere(mask):
        ends = places[height][source], places[height + 1][unit]
        color = colors[layers[height][source]]
        ax.plot(ends, [height, height + 1], color=color, linewidth=1.8, zorder=0)
names = ["input\nrank", "layer 1\ndegree", "layer 2\ndegree", "output\nrank"]
for height, (place, numbers) in enumerate(zip(places, layers, strict=True)):
    ax.text(0.5, height, names[height], ha="right", va="center")
    of_layer = [colors[number] if height < 3 else "0.2" for number in numbers]
    ax.scatter(place, [height] * len(place), s=620, c=of_layer)
    for x, number in zip(place, numbers, strict=True):
        ax.text(x, height, number, color="white", ha="center", va="center", weight="bold")
for rank in by_rank:
    ax.text(rank, -0.2, inputs[rank - 1], ha="center", va="top", size=15)
    ax.text(rank, 3.2, outputs[rank - 1], ha="center", va="bottom", size=13)
ax.set(xlim=(-0.1, 3.7), ylim=(-0.5, 3.5))
ax.axis("off")

cells = {"cmap": ListedColormap(["0.92", *colors.values()]), "vmin": 0, "vmax": 3}
for height, (name, mask) in enumerate(masks.items()):
    ax = axes[name]
    ax.pcolormesh(mask * layers[height], edgecolors="white", linewidth=2, **cells)
    ax.set_xticks(np.arange(mask.shape[1]) + 0.5, layers[height])
    ax.set_yticks(np.arange(mask.shape[0]) + 0.5, layers[height + 1])
    ax.set(xlabel="degree" if height else "rank", aspect="equal")
    ax.set_title(name, size=13)
    ax.set_ylabel("degree" if height < 2 else "rank")
    ax.invert_yaxis()
    ax.tick_params(length=0)
plt.show()
