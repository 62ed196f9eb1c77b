"""
A tour in ten minutes
=====================

You read a CSV file of labels, numbers and holes as it is, and get from it a log-density for
every row, the rows that are odd and why, completed rows, new rows, and answers about any
column.
"""

# %%
# Read a table
# ------------
#
# 344 penguins of three species, as they were measured: labels, lengths in millimetres, masses
# in grams, and cells that nobody filled in (Gorman, Williams and Fraser, *PLoS ONE* 9(3), 2014,
# in the form of the package palmerpenguins, in the public domain).

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skmade import MADEDensity, MADEOutlierDetector
from skmade.inspection import ConditionalDisplay, ContributionDisplay

table = pd.read_csv("penguins.csv")
table.columns = table.columns.str.replace("_mm|_g", "", regex=True)  # leaves room on the page
print(table.iloc[::60].to_string(index=False))
print(f"\n{len(table)} rows, {table.isna().sum().sum()} missing cells")

# %%
# Fit
# ---
#
# Nothing is scaled, encoded or filled in beforehand. Every fifth row is kept apart. Text is
# taken for labels, integers of a small spread for counts; other numbers have a density in their
# own units.

held_out = table.index % 5 == 0
train, test = table[~held_out], table[held_out]
density = MADEDensity(random_state=0).fit(train)
print(pd.Series(density.feature_types_, index=density.feature_names_in_).to_string())

# %%
# Score
# -----
#
# `score_samples` is the natural logarithm of the probability density of a row, in nats, by the
# cells that it has. To see what a learned dependence is worth, compare with the same rows after
# each column was shuffled: they have the right values in the wrong rows.

rng = np.random.RandomState(0)
shuffled = test.apply(lambda column: column.sample(frac=1, random_state=rng).to_numpy())
scores = {"held out": density.score_samples(test), "shuffled": density.score_samples(shuffled)}
for name, values in scores.items():
    print(f"{name}: median {np.median(values):.1f} nats a row")

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
bins = np.histogram_bin_edges(np.concatenate(list(scores.values())), 40)
for name, values in scores.items():
    ax.hist(values, bins, alpha=0.6, label=name)
ax.set(xlabel="log-density of a row [nats]", ylabel="rows")
ax.legend()
plt.show()

# %%
# Find outliers, and ask why
# --------------------------
#
# `MADEOutlierDetector` scores how rare a row is among the others. The first of these is well
# known: her bill is said to be 58 mm long, and no other female Chinstrap's is longer than 51.

detector = MADEOutlierDetector(contamination=0.02).fit(table)
rarity = detector.score_samples(table)
odd = table.iloc[np.argsort(rarity)[:3]]
print(odd.assign(score=np.sort(rarity)[:3].round(2)).to_string())

# %%
# `explain` lists up to three cells of each row, the oddest first. Beside each it has what would
# be typical, an interval of 90 % (of labels the likeliest one, in the column `typical`), and
# the chance of a cell at least as odd.

reasons = detector.explain(odd).head(6)
print(reasons.drop(columns="typical").round(2).to_string(index=False))

# %%
# The picture has the first of them in nats: what each cell adds to the log-density of its row,
# beside what it adds in nine of ten rows.

ContributionDisplay.from_estimator(detector, table, row=odd.index[0])
plt.show()

# %%
# Complete rows
# -------------
#
# Each missing cell is drawn given the cells that are there, so that completed tables vary as
# tables do. Where one label is wanted, ask for its probability instead.

holes = table[table.isna().any(axis=1)].head(4)
print(holes.to_string())
print(density.impute(holes, random_state=0).to_string())

# %%

sexes = density.conditional(holes, "sex")
print(pd.DataFrame(sexes.probabilities().round(2), holes.index, sexes.support))

# %%
# Draw rows
# ---------
#
# New penguins, with the decimals to which the real ones were measured.

drawn = density.sample(len(table), random_state=0)
print(drawn.head().to_string())

# %%
# Two of the species live on one island each. Learned from 275 rows, a few of 344 draws are
# elsewhere.

print(pd.crosstab(table["species"], table["island"]))
print(pd.crosstab(drawn["species"], drawn["island"]))

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
for ax, rows, title in zip(
    axes, (table, drawn), ("344 real rows", "344 drawn rows"), strict=True
):
    for species, own in rows.groupby("species"):
        ax.plot(own["bill_length"], own["bill_depth"], ".", alpha=0.7, label=species)
    ax.set(title=title, xlabel="bill length [mm]")
axes[0].set_ylabel("bill depth [mm]")
axes[0].legend()
plt.show()

# %%
# Ask
# ---
#
# `conditional` gives the distribution of one column given any others, with the methods of
# `scipy.stats`. Here is body mass along flipper length, everything else left open.

ConditionalDisplay.from_estimator(density, table, "body_mass", "flipper_length")
plt.show()

# %%
# How likely is a region? A penguin of more than five kilograms, and the same among the Gentoos:

heavy = {"body_mass": (5000, None)}
alone = np.exp(density.log_probability(heavy))
gentoo = np.exp(density.log_probability({"species": "Gentoo"}))
both = np.exp(density.log_probability(heavy | {"species": "Gentoo"}))
print(f"P(heavy) = {alone:.2f}, P(heavy | Gentoo) = {both / gentoo:.2f}")

real = table["body_mass"] >= 5000
print(f"in the table: {real.mean():.2f}, {real[table['species'] == 'Gentoo'].mean():.2f}")

# %%
# Where to go from here
# ---------------------
#
# - Columns of labels, counts, money, dates: :doc:`/user_guide/tables`
# - Rows given cells, conditionals, completion: :doc:`/user_guide/given_cells`
# - Outliers, p-values, reasons: :doc:`/user_guide/anomalies`
# - A file without a line of Python: :doc:`/user_guide/command`
# - Which settings matter: :doc:`/user_guide/choosing_settings`

# sphinx_gallery_thumbnail_number = 3
