"""
Draw the rest of a row
======================

`sample(given=...)` fixes some cells and draws the others given them. With `order_agnostic=True`
the members can put any columns first, so the draws are exact for every choice of given
cells. The first part compares draws with a known distribution, the others with real tables.
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

truth = TwoMoons(noise=0.1)
train = truth.sample(2000, random_state=0)
moons = MADEDensity(n_estimators=4, order_agnostic=True, random_state=0).fit(train)

levels = [0.8, 0.25, -0.3]
slices = {y: moons.sample(4000, random_state=0, given={1: y})[:, 0] for y in levels}

# %%
# The lines on the left are the slices. On the right are histograms of the drawn x, and the
# true laws as black lines.

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
for number, (y, drawn) in enumerate(slices.items()):
    color = f"C{number}"
    axes["rows"].axhline(y, color=color)
    density = np.exp(truth.score_samples(np.c_[x, np.full_like(x, y)]))
    axes[y].hist(drawn, bins=80, range=(-1.6, 2.6), density=True, color=color, alpha=0.5)
    axes[y].plot(x, density / np.trapezoid(density, x), color="black", linewidth=1)
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
table = table.assign(cultivar=pd.Categorical.from_codes(wine.target, wine.target_names))
wines = MADEDensity(n_estimators=4, order_agnostic=True, random_state=0).fit(table)

three = {"figsize": (10, 3.5), "layout": "constrained"}
figure, axes = plt.subplots(1, 3, sharex=True, sharey=True, **three)
for number, (ax, name) in enumerate(zip(axes, wine.target_names, strict=True)):
    drawn = wines.sample(300, random_state=0, given={"cultivar": name})
    real = table[table["cultivar"] == name]
    for rows, style in [
        (table, {"color": "0.85", "markersize": 5}),
        (drawn, {"color": f"C{number}", "markersize": 4, "alpha": 0.6}),
        (real, {"color": "black", "markersize": 4}),
    ]:
        ax.plot(rows["flavanoids"], rows["color_intensity"], ".", **style)
    ax.set(title=f"given cultivar {name}", xlabel="flavanoids")
axes[0].set_ylabel("color_intensity")
plt.show()

# %%
# A fan of draws
# --------------
#
# The diabetes table, with the progression of the disease after one year (`target`). It is drawn
# given a body mass index on the left, and given `s5` (a serum measurement) too in the middle
# and on the right. All other columns are left open. The bands hold the central 50 % and 80 % of
# the draws. The dots are real rows; where `s5` is given, those that lie within 0.2 of it.

table = load_diabetes(as_frame=True, scaled=False).frame[["age", "bmi", "bp", "s5", "target"]]
patients = MADEDensity(n_estimators=4, order_agnostic=True, random_state=0).fit(table)

low, high = table["s5"].quantile([0.1, 0.9]).round(1)
cases = {"given bmi": {}}
cases |= {f"given bmi and s5 = {value}": {"s5": value} for value in (low, high)}
grid = np.linspace(19, 40, 22)
quantiles = [0.1, 0.25, 0.5, 0.75, 0.9]
style = {"color": "C0", "linewidth": 0}
figure, axes = plt.subplots(1, 3, sharex=True, sharey=True, **three)
for ax, (title, given) in zip(axes, cases.items(), strict=True):
    fan = []
    for bmi in grid:
        drawn = patients.sample(1000, random_state=0, given={"bmi": bmi, **given})
        fan.append(drawn["target"].quantile(quantiles))
    bottom, lower, middle, upper, top = np.transpose(fan)
    ax.fill_between(grid, bottom, top, label="80 % of the draws", alpha=0.2, **style)
    ax.fill_between(grid, lower, upper, label="50 %", alpha=0.3, **style)
    ax.plot(grid, middle, color="C0", label="median")
    near = np.abs(table["s5"] - given.get("s5", table["s5"])) < 0.2
    real = table[near]
    ax.plot(real["bmi"], real["target"], ".", color="black", markersize=3, label="real rows")
    ax.set(title=title, xlabel="bmi", xlim=grid[[0, -1]])
axes[0].set_ylabel("target")
axes[1].legend(loc="upper left", frameon=False, fontsize="small")
plt.show()
