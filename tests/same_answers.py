"""Compare the answers of two versions of skmade, to the last bit.

    PYTHONPATH=../other-checkout python tests/same_answers.py --save other.json
    python tests/same_answers.py --against other.json

Every configuration of the contract, and what it leaves out (`further`), is fitted with one
seed on one thread. The largest difference of each answer is printed, and the exit status is 1
if one is above the tolerance.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np
from configurations import CONFIGURATIONS, cells, with_holes
from sklearn.datasets import load_breast_cancer, load_iris

from skmade import MADEDensity, MADEOutlierDetector

TOLERANCE = 1e-12


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--save", type=Path, metavar="FILE")
    choice.add_argument("--against", type=Path, metavar="FILE")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    answers = {name: spelled(answer) for name, answer in all_answers()}
    if options.save:
        options.save.write_text(json.dumps(answers))
        return
    others = json.loads(options.against.read_text())
    differences = {name: difference(answers[name], others[name]) for name in answers}
    for name, largest in differences.items():
        print(f"{name}: {'bit for bit' if largest == 0 else f'{largest:.1e}'}")
    sys.exit(max(differences.values()) > TOLERANCE)


def all_answers():
    """Yield the name of each answer, and its cells."""
    for name, case in CONFIGURATIONS.items():
        table = case.make_table(120)
        density = case.density().fit(table)
        yield from answers_of(name, density, table)
        density.partial_fit(table)
        yield f"{name}, partial_fit, score_samples", density.score_samples(table)
    yield from further()


def answers_of(name, density, table):
    """Yield what a fitted density answers."""
    holed = with_holes(table, 0.3)
    yield f"{name}, score_samples", density.score_samples(table)
    yield f"{name}, score_samples with holes", density.score_samples(holed)
    yield f"{name}, score_features", density.score_features(table)
    yield f"{name}, sample", density.sample(50, random_state=1)
    yield f"{name}, impute", density.impute(holed, random_state=1)
    yield f"{name}, impute by means", density.impute(holed, strategy="mean")


def further():
    """Yield answers about column transforms, clusters, given cells and the robust core."""
    iris, cancer = load_iris().data, load_breast_cancer().data
    small = {"n_estimators": 2, "max_iter": 5, "random_state": 0}
    yield from answers_of("iris", MADEDensity(**small).fit(iris), iris)
    density = MADEDensity(order_agnostic=True, n_masks=4, **small).fit(cancer)
    yield from answers_of("breast cancer", density, cancer[:50])
    given = {0: 14.0, 3: 600.0}
    yield "breast cancer, given", density.sample(20, random_state=1, given=given)
    detector = MADEOutlierDetector(MADEDensity(**small), support_fraction=0.75).fit(cancer)
    yield "detector, score_samples", detector.score_samples(cancer)


def spelled(answer):
    """Return cells as text that keeps every bit of a number."""
    return [
        cell if isinstance(cell, str) or cell is None else float(cell).hex()
        for cell in np.ravel(cells(answer))
    ]


def difference(own, other):
    """Return the largest difference, relative to numbers above one."""
    if len(own) != len(other):
        return np.inf
    return max(map(cell_difference, own, other), default=0.0)


def cell_difference(own, other):
    """Return how far apart two cells are: infinitely, if not both are numbers."""
    if own == other:
        return 0.0
    try:
        a, b = float.fromhex(own), float.fromhex(other)
    except (TypeError, ValueError):
        return np.inf
    return abs(a - b) / max(1.0, abs(a))


if __name__ == "__main__":
    main()
