"""
Ask for a column given others, and draw the rest of a row
=========================================================

Learn to ask a joint density about one column. `conditional` is the distribution of one
column given the other cells of a row, with the methods of `scipy.stats`. `sample(given=...)`
draws whole rows that have certain cells, and `log_probability` tells how likely a region is.
The first part compares with a known distribution, the others are of real tables.
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
from sklearn.datasets import load_diabetes, load_wine

from skmade import MADEDensity
from skmade.datasets import TwoMoons
from skmade.inspection import ConditionalDisplay

truth = TwoMoons(noise=0.1)
train = truth.sample(2000, random_state=0)
moons = MADEDensity(n_estimators=4, order_agnostic=True, random_state=0).fit(train)

levels = [0.8, 0.25, -0.3]
slices = {y: moons.sample(4000, random_state=0, given={1: y})[:, 0] for y in levels}

# %%
# `conditional` has the density of x itself. The lines on the left are the slices. On the right
# are histograms of the drawn x, the conditional densities as coloured lines, and the true laws
# as black ones.

rows = np.array([[np.nan, y] for y in levels])
given = moons.conditional(rows, 0)

x = np.linspace(-1.6, 2.6, 400)
figure, axes = plt.subplot_mosaic(
    [["rows", y] for y in levels],
    figsize=(10, 3.8),
    width_ratios=[1.25, 1],
    layout="constrained",
    sharex=True,
)
axes["rows"].plot(*train.T, ".", color="0.7", markersize=2)
axes["rows"].set(xlabel="x", ylabel="y", title="training rows", aspect="equal")
known = given.pdf(x[None])
for number, (y, drawn) in enumerate(slices.items()):
    color = f"C{number}"
    axes["rows"].axhline(y, color=color)
    density = np.exp(truth.score_samples(np.c_[x, np.full_like(x, y)]))
    axes[y].hist(drawn, bins=80, range=(-1.6, 2.6), density=True, color=color, alpha=0.5)
    axes[y].plot(x, density / np.trapezoid(density, x), color="black", linewidth=1)
    axes[y].plot(x, known[number], color=color)
    axes[y].set_ylabel(f"y = {y:g}", rotation=0, ha="right", va="center", color=color)
    axes[y].set(yticks=[])
    axes[y].tick_params(labelbottom=y == levels[-1])
axes[levels[0]].set_title("drawn x, and the true law")
axes[levels[-1]].set(xlabel="x", xlim=(-1.6, 2.6))
plt.show()

# %%
# Wines of one cultivar
# ---------------------
#
# Five measurements of the wine table and the cultivar, which is a label. Given the cultivar,
# the five other columns are drawn together. The pictures show two of them: all real rows in
# grey, those of the cultivar in black, and 300 drawn rows in colour.

wine = load_wine(as_frame=True)
table = wine.data[["alcohol", "flavanoids", "color_intensity", "hue", "proline"]]
cultivars = table.assign(cultivar=pd.Categorical.from_codes(wine.target, wine.target_names))
wines = MADEDensity(n_estimators=4, order_agnostic=True, random_state=0).fit(cultivars)

three = {"figsize": (10, 3.5), "layout": "constrained"}
figure, axes = plt.subplots(1, 3, sharex=True, sharey=True, **three)
for number, (ax, name) in enumerate(zip(axes, wine.target_names, strict=True)):
    drawn = wines.sample(300, random_state=0, given={"cultivar": name})
    real = cultivars[cultivars["cultivar"] == name]
    for rows, style in [
        (cultivars, {"color": "0.85", "markersize": 5}),
        (drawn, {"color": f"C{number}", "markersize": 4, "alpha": 0.6}),
        (real, {"color": "black", "markersize": 4}),
    ]:
        ax.plot(rows["flavanoids"], rows["color_intensity"], ".", **style)
    ax.set(title=f"given cultivar {name}", xlabel="flavanoids")
axes[0].set_ylabel("color_intensity")
plt.show()

# %%
# Regions
# -------
#
# A column may also be given as an interval, or as a list of values. How likely is a strong wine
# of two of the cultivars, and what is it like?

region = {"alcohol": (13.5, None), "cultivar": ["class_0", "class_2"]}
real = (cultivars["alcohol"] >= 13.5) & cultivars["cultivar"].isin(region["cultivar"])
print(f"probability: {np.exp(wines.log_probability(region)):.2f}")
print(f"share of the rows: {real.mean():.2f}")
wines.sample(5, random_state=0, given=region).round(2)

# %%
# A column along another
# ----------------------
#
# The diabetes table, with the progression of the disease after one year (`target`). The fan has
# its quantiles along the body mass index, all other columns left open. Beside it is one patient
# as described by all other columns: the density of the progression, and how it really was.

table = load_diabetes(as_frame=True, scaled=False).frame[["age", "bmi", "bp", "s5", "target"]]
patients = MADEDensity(n_estimators=4, order_agnostic=True, random_state=0).fit(table[::2])

figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
ConditionalDisplay.from_estimator(patients, table, "target", "bmi", ax=axes[0])

rows = table.iloc[[1, 15, 27]]
grid = np.linspace(0, 400, 300)
given = patients.conditional(rows, "target")
for number, (density, real) in enumerate(
    zip(given.pdf(grid[None]), rows["target"], strict=True)
):
    axes[1].plot(grid, density, color=f"C{number}")
    axes[1].axvline(real, color=f"C{number}", linewidth=1, linestyle="--")
axes[1].set(xlabel="target", ylabel="density", yticks=[], title="three patients (dashed: real)")
plt.show()

# %%
# Intervals of 80 % hold about as many of the rows that fit did not see.

low, high = patients.conditional(table[1::2], "target").interval(0.8)
print(f"{np.mean((low <= table['target'][1::2]) & (table['target'][1::2] <= high)):.2f}")

# %%
# Labels have probabilities. Given all columns of its row, the cultivar of most wines is clear;
# along the color intensity alone it is not.

given = wines.conditional(cultivars[::60], "cultivar")
print(pd.DataFrame(given.probabilities().round(3), columns=given.support))
ConditionalDisplay.from_estimator(wines, cultivars, "cultivar", "color_intensity")
plt.show()

# sphinx_gallery_thumbnail_number = 3
