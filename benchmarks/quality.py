"""Held-out log-likelihood of MADEDensity beside what else there is.

    python benchmarks/quality.py                          # everything there is data for
    python benchmarks/quality.py --protocol continuous    # one protocol
    python benchmarks/quality.py --only iris --methods MADEDensity GaussianMixture
    python benchmarks/quality.py --only plants --methods wide-members --device cuda
    python benchmarks/quality.py --report                 # tables of what has been run

Each run (table, method, seed) is kept in benchmarks/results, so that a benchmark that was
stopped goes on where it was. Tables are printed as Markdown and written to docs/benchmarks,
with a picture. Log-likelihoods are mean nats per test row. What is compared is in peers.py,
where the data come from in tables.py; `pip install -e ".[benchmark]"` installs the peers, and
those that are not installed are left out.
"""

import argparse
import time
import warnings
from functools import partial

import numpy as np
import torch
from peers import LOG_SMALLEST, PEERS, fit_peer, is_installed
from report import write_reports
from sklearn.exceptions import ConvergenceWarning
from store import conditions, load, path_of, save
from tables import PROTOCOLS

from skmade import MADEDensity

# Ways to average over orderings; validation rows choose between them.
WIDE = {"hidden_layer_sizes": (500, 500), "dropout": 0.2}
WIDER = {"hidden_layer_sizes": (1000, 1000)}
ORDER_AGNOSTIC = {**WIDE, "order_agnostic": True, "max_iter": 200}
BINARY = {
    "members": {**WIDE, "n_estimators": 8},
    "orderings": {**ORDER_AGNOSTIC, "n_estimators": 4, "n_masks": 4},
    "many-orderings": {
        **ORDER_AGNOSTIC,
        "n_estimators": 1,
        "n_masks": 300,
        "conditioning_weights": False,
    },
    "wide-members": {**WIDER, "n_estimators": 16, "dropout": 0.2, "alpha": 0.2},
    "wide-orderings": {
        **WIDER,
        "n_estimators": 16,
        "dropout": 0.1,
        "alpha": 0.3,
        "order_agnostic": True,
        "n_masks": 2,
    },
}
MNIST = {"hidden_layer_sizes": (500, 500), "n_estimators": 1, "dropout": 0.1, "max_iter": 10}


def methods_of(protocol, device="cpu"):
    """Return what is fitted in a protocol: name to function of a split and a seed."""
    if protocol == "binary":
        options = {name: {**own, "device": device} for name, own in BINARY.items()}
        return {name: made(**own) for name, own in options.items()}
    if protocol == "mnist":
        return {"MADEDensity": made(**MNIST, device=device)}
    peers = {name: partial(fit_peer, name) for name in PEERS}
    if protocol == "continuous":
        return {"MADEDensity": made(), **peers}
    if protocol == "few-columns":
        return {"truth": truth, "MADEDensity": made(), **peers}
    return {"MADEDensity": made()}


def made(**parameters):
    """Return a function that fits MADEDensity, with defaults where nothing is said."""

    def fit(split, seed):
        return MADEDensity(random_state=seed, **parameters).fit(split.train, X_val=split.valid)

    return fit


def truth(split, seed):
    """Return the density that the rows were drawn from."""
    return split.truth


def run(protocol, table, method, seed, device):
    """Fit and score one split, unless that has been done."""
    path = path_of(protocol, table, method, seed)
    if load(path) is not None:
        return
    split = PROTOCOLS[protocol].split(table, seed)
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        density = methods_of(protocol, device)[method](split, seed)
    about = {
        "seconds": time.perf_counter() - begin,
        "n_rows": len(split.train),
        "n_columns": split.train.shape[1],
        **conditions(),
    }
    if split.valid is not None:
        about["valid"] = float(np.mean(density.score_samples(split.valid)))
    scores = density.score_samples(split.test)
    # Rows of density zero: a few of them move the mean far.
    about["n_zero"] = int(np.sum(scores <= LOG_SMALLEST))
    save(path, scores, about)
    print(
        f"{protocol} {table} {method} seed {seed}: {scores.mean():.3f} "
        f"in {about['seconds']:.0f} s",
        flush=True,
    )


def main():
    """Run what is asked for, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--protocol", nargs="*", choices=PROTOCOLS, default=list(PROTOCOLS))
    parser.add_argument("--only", nargs="*", help="tables")
    parser.add_argument("--methods", nargs="*")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--device", default="cpu", help="of binary tables and images")
    parser.add_argument("--report", action="store_true", help="run nothing")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    for name in () if chosen.report else chosen.protocol:
        protocol = PROTOCOLS[name]
        methods = [m for m in methods_of(name) if not chosen.methods or m in chosen.methods]
        methods = [m for m in methods if is_installed(m)]
        for table, seed in protocol.runs(chosen.only or protocol.tables):
            for method in methods:
                run(name, table, method, seed, chosen.device)
    write_reports()


if __name__ == "__main__":
    main()
