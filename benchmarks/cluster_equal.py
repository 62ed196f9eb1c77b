"""Whether two worker processes give the results of one, on 12,000 rows of protein.

    SKMADE_BENCHMARK_DATA=... python benchmarks/cluster_equal.py

Members, a search, a fit to a table in partitions and scores of them are made on a cluster of
two worker processes, and again in this process. What is printed is the largest difference.
See tables.py for where the table is from.
"""

import joblib
import numpy as np
from sklearn.model_selection import GridSearchCV
from tables import read

from skmade import MADEDensity

N_ROWS, PARTITION_ROWS = 12_000, 1000
# More members than are trained together, so that there are two jobs.
N_MEMBERS = 16
GRID = {"min_scale": [None, 0.1], "hidden_layer_sizes": [(16, 16), (32, 32)]}


def density(**parameters):
    """Return a density that is trained for two epochs."""
    return MADEDensity(**{"max_iter": 2, "n_estimators": 2, "random_state": 0} | parameters)


def members(X):
    """Return scores of many members."""
    return density(n_estimators=N_MEMBERS, n_jobs=2).fit(X).score_samples(X)


def search(X):
    """Return scores of all settings on all folds."""
    found = GridSearchCV(density(), GRID, cv=2).fit(X).cv_results_
    return np.concatenate([found["split0_test_score"], found["split1_test_score"]])


def main():
    """Compare both, step by step."""
    import dask.array as da
    from distributed import Client, LocalCluster

    X = read("continuous", "protein-tertiary-structure")["data"][:N_ROWS]
    partitioned = da.from_array(X, chunks=(PARTITION_ROWS, -1))
    fitted = density().fit(X)
    alone = {"members": members(X), "search": search(X), "scores": fitted.score_samples(X)}
    alone["fit"] = alone["scores"]
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")
    with cluster, Client(cluster), joblib.parallel_config(backend="dask"):
        spread = {
            "members": members(X),
            "search": search(X),
            "scores": fitted.score_samples(partitioned).compute(),
            "fit": density().fit(partitioned).score_samples(X),
        }
    for step, values in alone.items():
        difference = np.abs(values - spread[step]).max()
        print(f"{step}: {values.size} numbers, largest difference {difference:g}")


if __name__ == "__main__":
    main()
