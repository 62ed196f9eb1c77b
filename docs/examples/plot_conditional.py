"""
Draw the rest of a row
======================

`sample(given=...)` fixes some cells and draws the others given them. With `order_agnostic=True`
the members can put any columns first, so the draws are exact for every choice of given
cells. The first part compares draws with a known distribution, the second one with a real
table.
"""

# %%
# Slices of two moons
# -------------------
#
# The density of the two moons is known, and so is the law of x given y: it is the density along
# the line, divided by its integral.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_wine

from skmade import MADEDensity
from skmade.datasets import TwoMoons

truth = TwoMoons(noise=0.1)
train = truth.sample(2000, random_state=0)
moons = MADEDensity(n_estimators=4, order_agnostic=True, random_state=0).fit(train)

levels = [0.8, 0.25, -0.3]
slices = {y: moons.sample(4000, random_state=0, given={1: y})[:, 0] for y in levels}

# %%
# The lines on the left are the slices. On the right are the drawn x of each, as shares of a
# density, and the true law.

x = np.linspace(-1.6, 2.6, 400)
figure, axes = plt.subplot_mosaic(
    [["rows", y] for y in levels],
    figsize=(10, 4.4),
    width_ratios=[1.15, 1],
    layout="constrained",
)
axes["rows"].plot(*train.T, ".", color="0.7", markersize=2)
axes["rows"].set(xlabel="x", ylabel="y", title="training rows", aspect="equal")
for number, (y, drawn) in enumerate(slices.items()):
    color = f"C{number}"
    axes["rows"].axhline(y, color=color)
    density = np.exp(truth.score_samples(np.c_[x, np.full_like(x, y)]))
    axes[y].hist(drawn, bins=80, range=(-1.6, 2.6), density=True, color=color, alpha=0.5)
    axes[y].plot(x, density / np.trapezoid(density, x), color="black", linewidth=1)
    axes[y].set(ylabel=f"p(x | y={y:g})", yticks=[], xlim=(-1.6, 2.6))
axes[levels[0]].set_title("drawn x, and the true law")
axes[levels[-1]].set_xlabel("x")
plt.show()

# %%
# Wines of one cultivar
# ---------------------
#
# The wine table has 178 rows: 13 measurements and the cultivar, which is a label. Given the
# cultivar, the other thirteen columns are drawn together.

wine = load_wine(as_frame=True)
table = wine.data.assign(cultivar=pd.Categorical.from_codes(wine.target, wine.target_names))
made = MADEDensity(n_estimators=4, order_agnostic=True, random_state=0).fit(table)

names = wine.target_names
figure, axes = plt.subplots(1, 3, figsize=(10, 3.5), sharex=True, sharey=True, layout="constrained")
for number, (ax, name) in enumerate(zip(axes, names, strict=True)):
    drawn = made.sample(300, random_state=0, given={"cultivar": name})
    real = table[table["cultivar"] == name]
    ax.plot(table["flavanoids"], table["color_intensity"], ".", color="0.85")
    ax.plot(drawn["flavanoids"], drawn["color_intensity"], ".", color=f"C{number}", markersize=3, alpha=0.6)
    ax.plot(real["flavanoids"], real["color_intensity"], ".", color="black", markersize=5)
    ax.set(title=f"given cultivar {name}", xlabel="flavanoids")
axes[0].set_ylabel("color_intensity")
plt.show()

# %%
# A fan of draws
# --------------
#
