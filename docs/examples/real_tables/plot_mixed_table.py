"""
A table with labels, counts and holes
=====================================

Learn to score, complete and draw rows of a table that has everything. The diabetes table has
442 rows: a category, integers and other numbers. A share of its cells is made missing.
`MADEDensity` learns from the table as it is, scores and completes its rows, and draws new
ones.
"""

# %%
# A table with holes
# ------------------
#
# The sex of a patient is coded 1 and 2; these are labels, not numbers. The age and the
# progression of the disease after one year (`target`) are integers. 15 % of the cells are
# removed at random, and kept apart as the truth to compare with.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmade import MADEDensity

truth = load_diabetes(as_frame=True, scaled=False).frame
truth["sex"] = truth["sex"].map({1: "1", 2: "2"}).astype("category")
truth = truth.astype({"age": "Int64", "target": "Int64"})  # integers that may be missing

hidden = np.random.RandomState(0).random_sample(truth.shape) < 0.15
table = truth.mask(hidden)
print(table.head().to_string())
print(f"\n{hidden.sum()} cells are missing; {(~hidden.any(axis=1)).sum()} rows are complete.")

# %%
# Fit
# ---
#
# Text, categories and booleans of a DataFrame are labels without further ado. Integers of a
# spread as large as that of age are counts only if it is said. Order-agnostic members can put
# any columns first, and so complete any row exactly.

made = MADEDensity(
    n_estimators=4,
    order_agnostic=True,
    feature_types={"age": "count", "target": "count"},
    random_state=0,
).fit(table)
print(f"{made.n_iter_} epochs")
print(pd.Series(made.feature_types_, index=table.columns).to_string())

# %%
# Score rows with holes
# ---------------------
#
# The score of a row is the log-density of the cells that it has.

for score, n_missing in zip(made.score_samples(table)[:5], hidden.sum(axis=1)[:5], strict=True):
    print(f"{score:6.1f} nats, {n_missing} cells missing")

# %%
# The parts of a score tell which cell makes a row unusual. In the first row `s3` is 38. With
# the digits swapped it is 83, which other rows do have, but not with such values of the other
# columns.

pair = pd.concat([table.head(1)] * 2, ignore_index=True)
pair.loc[1, "s3"] = 83.0
pair.index = [f"s3 = {value:g}" for value in pair["s3"]]
parts = pd.DataFrame(made.score_features(pair), pair.index, pair.columns)
print(parts.round(1).to_string())

# %%
# Complete the rows
# -----------------
#
# `strategy='mean'` fills in conditional means, and the most probable label. The imputers of
# scikit-learn take numbers, so that they get the code of `sex` as one and its nearest code is
# taken. Columns are standardised for them.


def impute_by(imputer):
    """Complete the table by an imputer of numbers."""
    scaler = StandardScaler()
    pipeline = make_pipeline(scaler, imputer).set_output(transform="pandas")
    numbers = table.astype({"sex": object}).astype(float)
    filled = pipeline.fit_transform(numbers) * scaler.scale_ + scaler.mean_
    nearest = np.where(filled["sex"] < 1.5, "1", "2")
    return filled.assign(sex=nearest)


completed = {
    "SimpleImputer": impute_by(SimpleImputer()),
    "KNNImputer": impute_by(KNNImputer(n_neighbors=10)),
    "IterativeImputer": impute_by(IterativeImputer(max_iter=100)),
    "MADEDensity": made.impute(table, strategy="mean"),
}
is_number = truth.columns != "sex"
names = truth.columns[is_number]


def errors(filled):
    """Root mean square error of the hidden cells of each number, in standard deviations."""
    difference = filled[names].astype(float) - truth[names].astype(float)
    difference = difference.where(hidden[:, is_number])
    return np.sqrt((difference**2).mean()) / truth[names].astype(float).std()


error = pd.DataFrame({name: errors(filled) for name, filled in completed.items()})
print("Error in standard deviations of the column:\n")
print(error.round(2).to_string())

sex_hidden = hidden[:, ~is_number].ravel()
print("\nShare of hidden labels that are right:\n")
for name, filled in completed.items():
    right = (filled["sex"].astype(str) == truth["sex"].astype(str))[sex_hidden]
    print(f"{name:18}{right.mean():.2f}")

# %%
# One number for a missing cell does not tell how sure it is. `strategy='sample'` draws the
# missing cells of a row together; here fifty times. If the draws are right, about 80 % of the
# hidden values lie in the central 80 % of their draws.

n_draws = 50
repeated = made.impute(pd.concat([table] * n_draws), random_state=0)
draws = repeated[names].to_numpy(float).reshape(n_draws, len(table), len(names))
low, middle, high = np.quantile(draws, [0.1, 0.5, 0.9], axis=0)
values = truth[names].to_numpy(float)
inside = ((low <= values) & (values <= high))[hidden[:, is_number]]
print(f"{inside.mean():.0%} of {inside.size} hidden numbers lie in their 80 % interval")

# %%
# On the left, each hidden cell of `s3` (HDL cholesterol) with its interval. On the right, the
# errors of the table above. Other columns say much of `s1` to `s4`, and little of age and blood
# pressure. Most relations in this table are close to linear, so that the regressions of
# IterativeImputer give means that are as good, and better for `s3` and `s5`.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
column = names.get_loc("s3")
rows = hidden[:, is_number][:, column]
left.vlines(values[rows, column], low[rows, column], high[rows, column], color="C0", alpha=0.45)
left.plot(values[rows, column], middle[rows, column], "o", color="C0", markersize=4)
ends = [values[rows, column].min() - 3, values[rows, column].max() + 3]
left.plot(ends, ends, color="0.5", linewidth=1, zorder=0)
left.set(
    xlabel="hidden value of s3",
    ylabel="drawn: median and 80 % interval",
    title="Draws for missing cells",
)

order = error["MADEDensity"].sort_values(ascending=False).index
for name, marker, color in zip(error, "xs^o", ["0.6", "C1", "C2", "C0"], strict=True):
    right.plot(error.loc[order, name], order, marker, color=color, label=name)
right.set(xlim=(0, None), xlabel="error [standard deviations]", title="Conditional means")
right.grid(axis="y", color="0.92")
right.set_axisbelow(True)
right.legend(loc="lower left", frameon=False)
plt.show()

# %%
# Draw rows
# ---------
#
# Drawn rows have the dtypes and labels of the table, and no missing cells.

drawn = made.sample(2000, random_state=0)
print(drawn.head().round(1).to_string())

# %%
# The histograms have shares of the rows: of the whole table, hidden cells included, and of
# the drawn rows. `s4` is the ratio of two other columns, rounded to an integer in most rows but
# not in all. The scatter plots have as many drawn rows as real ones.

tables = {"real": truth, "drawn": drawn}
colors = {"real": "0.6", "drawn": "C0"}
figure, axes = plt.subplots(1, 5, figsize=(10, 2.5), layout="constrained")
for ax, name in zip(axes, ["age", "target"], strict=False):
    both = [rows[name].to_numpy(float) for rows in tables.values()]
    bins = np.histogram_bin_edges(both[0], bins=12)
    ax.hist(both, bins, density=True, color=colors.values(), label=list(tables))
    ax.set(xlabel=name, yticks=[])
for offset, (name, rows) in zip([-0.15, 0.15], tables.items(), strict=True):
    share = rows["sex"].value_counts(normalize=True, sort=False)
    axes[2].bar(np.arange(2) + offset, share, 0.3, color=colors[name])
axes[2].set(xlabel="sex", yticks=[], xlim=(-0.6, 1.6), xticks=[0, 1], xticklabels=share.index)
axes[1].legend(frameon=False, loc="upper right", handlelength=1)
for ax, (name, rows) in zip(axes[3:], tables.items(), strict=True):
    few = rows.head(len(truth))
    ax.plot(few["s3"], few["s4"], ".", color=colors[name], markersize=3)
    ax.set(xlabel="s3", ylabel="s4", title=name, xlim=(0, 105), ylim=(1, 10))
plt.show()
