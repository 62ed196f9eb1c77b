"""Write the golden files of the version that runs: two models, rows, and their scores.

Run it once for each release, and keep what it wrote before: later versions must load it.

    python tests/make_golden.py
"""

import json
from importlib.metadata import version
from pathlib import Path
from zipfile import ZIP_DEFLATED

import numpy as np
import pandas as pd
import skops.io

from skmade import MADEDensity

DATA = Path(__file__).parent / "data"

SMALL = {"hidden_layer_sizes": (8, 8), "n_components": 2, "n_estimators": 2, "max_iter": 10}


def make_tables():
    """Return a table of two related numbers, and one of a number, labels and a count."""
    rng = np.random.RandomState(0)
    numbers = rng.normal(size=(200, 2))
    numbers[:, 1] += 100 + 5 * np.square(numbers[:, 0])
    group = rng.choice(["red", "green", "blue"], size=200)
    size = rng.normal(size=200) + 3 * (group == "red")
    size[::10] = np.nan
    mixed = {"size": size, "group": group, "children": rng.poisson(1 + 2 * (group == "blue"))}
    return {"continuous": numbers, "mixed": pd.DataFrame(mixed)}


def to_json(table):
    """Return the first rows in lists, None for a missing cell."""
    rows = pd.DataFrame(table).head(20)
    return rows.astype(object).where(rows.notna(), None).values.tolist()


def main():
    """Fit both models, and write them beside rows and scores."""
    tables = make_tables()
    models = {
        "continuous": MADEDensity(random_state=0, **SMALL).fit(tables["continuous"]),
        "mixed": MADEDensity(
            random_state=0,
            feature_types={"children": "count"},
            order_agnostic=True,
            n_masks=3,
            **SMALL,
        ).fit(tables["mixed"]),
    }
    answers = {
        name: {
            "rows": to_json(tables[name]),
            "scores": model.score_samples(tables[name][:20]).tolist(),
        }
        for name, model in models.items()
    }
    DATA.mkdir(exist_ok=True)
    path = DATA / f"golden-{version('skmade')}"
    skops.io.dump(models, f"{path}.skops", compression=ZIP_DEFLATED, compresslevel=9)
    Path(f"{path}.json").write_text(json.dumps(answers) + "\n")


if __name__ == "__main__":
    main()
