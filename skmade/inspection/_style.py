"""Colours that colour-blind readers can tell apart (Okabe and Ito), and axes to draw on."""

from typing import Any

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support

LIGHT, DATA, MODEL, MARKED = "0.8", "0.55", "#0072B2", "#D55E00"

# Of several models in one picture.
MODELS = (MODEL, "#E69F00", "#009E73", "#CC79A7", "#56B4E9")

# From light to dark, for the parts between contours.
SHADES = ("#deebf7", "#9ecae1", "#4292c6", "#08519c")


def one_axes(display, ax):
    """Return the axes that were given, or new ones."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    return ax


def grid_of_axes(display, ax, n_rows, n_columns, cell_size):
    """Return a grid of axes: new, in the place of one that was given, or those given."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    if ax is None:
        size = (max(n_columns * cell_size[0], 4), max(n_rows * cell_size[1], 3))
        return plt.subplots(
            n_rows, n_columns, squeeze=False, figsize=size, layout="constrained"
        )[1]
    if not hasattr(ax, "get_subplotspec"):
        axes = np.asarray(ax, dtype=object)
        if axes.size != n_rows * n_columns:
            raise ValueError(f"ax holds {axes.size} axes, {n_rows * n_columns} are needed.")
        return axes.reshape(n_rows, n_columns)
    if n_rows * n_columns == 1:
        return np.array([[ax]])
    ax.set_axis_off()
    place: Any = ax.get_subplotspec()
    return place.subgridspec(n_rows, n_columns).subplots(squeeze=False)


def tidy(ax):
    """Leave out the frame where it says nothing."""
    ax.spines[["top", "right"]].set_visible(False)


def as_dates(axis):
    """Write days since 1970 as dates, few enough to read."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    axis.axis_date()
    locator = AutoDateLocator(minticks=2, maxticks=5)
    axis.set_major_locator(locator)
    axis.set_major_formatter(ConciseDateFormatter(locator))
