"""Held-out log-likelihood of tables of numbers, MADEDensity beside what else there is.

    python benchmarks/density.py                          # everything there is data for
    python benchmarks/density.py --protocol continuous    # one protocol
    python benchmarks/density.py --only iris --methods MADEDensity GaussianMixture
    python benchmarks/density.py --report                 # tables of what has been run

Each run (table, method, seed) is kept by store.py. Log-likelihoods are mean nats per test row.
What is compared is in peers.py, where the data come from in tables.py;
`pip install -e ".[benchmark]"` installs the peers, and those that are not installed are left
out.
"""

import argparse
from functools import partial

import torch
from likelihood import OURS, against_peers, means, of_seeds, run
from peers import PACKAGES, PEERS, fit_peer, is_installed
from report import beside, draw_beside, standard_error, write
from store import measured, n_seeds
from tables import PROTOCOLS

from skmade import MADEDensity

# Uria et al. 2013 and 2014 (EoRNADE, 16 orderings); Ghalebikesabi et al. 2023.
PUBLISHED = {
    "red-wine": (-8.76, "EoRNADE"),
    "half-wine": (-13.22, "AR_d-BP"),
    "half-parkinsons": (-7.21, "AR_d-BP"),
}
ALONE = ("red-wine", "half")
BESIDE = ("continuous", "few-columns")


def made(split, seed):
    """Fit MADEDensity with every default."""
    return MADEDensity(random_state=seed).fit(split.train)


def truth(split, seed):
    """Return the density that the rows were drawn from."""
    return split.truth


def methods_of(protocol):
    """Return what is fitted in a protocol: name to function of a split and a seed."""
    peers = {name: partial(fit_peer, name) for name in PEERS} if protocol in BESIDE else {}
    known = {"truth": truth} if protocol == "few-columns" else {}
    return known | {OURS: made} | peers


def against_published():
    """Rows of the small protocols, whose other figures are published ones."""
    yield ["table", "splits", OURS, "standard error", "published", "by", "seconds"]
    for protocol in ALONE:
        for table in PROTOCOLS[protocol].tables:
            facts = of_seeds(measured(protocol), table, OURS)
            if not facts:
                continue
            figure, model = PUBLISHED[table]
            several = len(facts) > 1
            error = standard_error(means(facts)) if several else means(facts, "error")[0]
            yield [
                table,
                n_seeds(facts.values()),
                f"{means(facts).mean():.3f}",
                f"{error:.3f}",
                f"{figure:.2f}",
                model,
                f"{sorted(means(facts, 'seconds'))[len(facts) // 2]:.0f}",
            ]


def write_reports():
    """Write every table there are runs for, and the picture."""
    for protocol, known in {"continuous": (), "few-columns": ("truth",)}.items():
        tables = PROTOCOLS[protocol].tables
        rows = list(against_peers(protocol, tables, list(PEERS), truth=known))
        write(protocol.replace("-", "_"), rows)
        if protocol == "continuous":
            others = beside(rows, OURS, PEERS)
            tables = [row[0] for row in rows[1:]]
            draw_beside("density", "held-out log-likelihood, nats per row", tables, others)
    write("published", against_published())


def main():
    """Run what is asked for, then write the tables."""
    protocols = (*BESIDE, *ALONE)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--protocol", nargs="*", choices=protocols, default=list(protocols))
    parser.add_argument("--only", nargs="*", help="tables")
    parser.add_argument("--methods", nargs="*")
    parser.add_argument("--seeds", nargs="*", type=int)
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--report", action="store_true", help="run nothing")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    for name in () if chosen.report else chosen.protocol:
        protocol, methods = PROTOCOLS[name], methods_of(name)
        wanted = [m for m in methods if not chosen.methods or m in chosen.methods]
        wanted = [m for m in wanted if is_installed(m)]
        for table, seed in protocol.runs(chosen.only or protocol.tables):
            for method in wanted if chosen.seeds is None or seed in chosen.seeds else ():
                packages = filter(None, [PACKAGES.get(method)])
                run(name, table, method, seed, methods[method], packages=packages)
    write_reports()


if __name__ == "__main__":
    main()
