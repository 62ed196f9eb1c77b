"""What columns of dates cost and tell: fits with and without them, side by side.

    python benchmarks/dates.py                       # all tables, three seeds
    python benchmarks/dates.py --only taxis --seeds 0

Tables: Beijing's PM2.5 (from the folder in the environment variable SKMADE_BENCHMARK_DATA,
default: benchmarks/data, as `mixed/beijing.csv.gz`) with an hour, or a day, in place of its
four columns of the calendar; and taxi rides, drawn with a known seed: pick-up and drop-off
to the second among twelve columns. Of each, 5000 rows to fit and 2000 to score.

For each seed, default fits in turn on one thread: with the dates, without them, and with dates
in another order, which tell nothing of the rows. Ratio is the median ratio of the times with
and without dates, and shuffled that of dates in another order; epochs is the ratio of the
epochs with and without. Gain, with its standard error, is how many nats per held-out row the
density of all columns is ahead of that of the others and those of the dates by themselves;
off, how many of 5000 drawn dates are off the hours, days or seconds of the table.
"""

import argparse
import os
import pathlib
import warnings

import numpy as np
import pandas as pd
from clock import seconds, threads
from sklearn.model_selection import train_test_split

from skmade import MADEDensity

DATA = pathlib.Path(
    os.environ.get("SKMADE_BENCHMARK_DATA", pathlib.Path(__file__).parent / "data")
)
TABLE = pathlib.Path(__file__).parents[1] / "docs" / "benchmarks" / "dates.csv"
N_ROWS, N_TEST, N_DRAWN = 5000, 2000, 5000


def beijing(unit):
    """Return Beijing's table with instants of one unit."""
    table = pd.read_csv(DATA / "mixed" / "beijing.csv.gz").drop(columns="No")
    calendar = ["year", "month", "day", "hour"]
    when = pd.to_datetime(table[calendar]).dt.floor(unit)
    return table.drop(columns=calendar).assign(when=when)


def taxis(seed=0, n_rows=20_000):
    """Return rides in the columns of seaborn's table of taxis, but for the zones' names."""
    rng = np.random.RandomState(seed)
    hour = np.clip(rng.normal(15, 5, size=n_rows), 0, 23.999)
    day = rng.randint(0, 31, size=n_rows)
    distance = np.round(rng.lognormal(0.7, 0.8, size=n_rows), 2)
    slow = 1 + 0.5 * ((hour > 7) & (hour < 19))
    ride = np.rint(120 + 200 * distance * slow * rng.lognormal(0, 0.25, size=n_rows))
    second = np.rint(day * 86_400 + hour * 3600)
    pickup = pd.Timestamp("2019-03-01") + pd.to_timedelta(second, unit="s")
    fare = np.round(2.5 + 0.5 * np.round(5 * distance + ride / 60), 2)
    card = rng.random_sample(n_rows) < 0.7
    tip = np.where(card, np.round(0.2 * fare, 2), 0.0)
    far = distance > 8
    tolls = np.where(far & (rng.random_sample(n_rows) < 0.4), 5.76, 0.0)
    green = rng.random_sample(n_rows) < 0.15
    boroughs = np.array(["Manhattan", "Queens", "Brooklyn", "Bronx"])
    home = np.where(green, rng.randint(1, 4, size=n_rows), 0)
    away = rng.randint(0, 4, size=n_rows)
    return pd.DataFrame(
        {
            "pickup": pickup,
            "dropoff": pickup + pd.to_timedelta(ride, unit="s"),
            "passengers": 1 + rng.poisson(0.5, size=n_rows),
            "distance": distance,
            "fare": fare,
            "tip": tip,
            "tolls": tolls,
            "total": np.round(fare + tip + tolls + 3.3, 2),
            "color": np.where(green, "green", "yellow"),
            "payment": np.where(card, "credit card", "cash"),
            "pickup_borough": boroughs[home],
            "dropoff_borough": boroughs[np.where(far, away, home)],
        }
    )


TABLES = {
    "beijing, hours": (lambda: beijing("h"), "h"),
    "beijing, days": (lambda: beijing("D"), "D"),
    "taxis": (taxis, "s"),
}


def compare(name, seed):
    """Measure one table once: seconds of three fits, epochs, gains of rows, dates off."""
    read, unit = TABLES[name]
    train, test = train_test_split(
        read(), train_size=N_ROWS, test_size=N_TEST, random_state=seed
    )
    dates = list(train.select_dtypes("datetime").columns)
    others = train.columns.drop(dates)
    order = np.random.RandomState(seed).permutation(len(train))
    shuffled = train.assign(**{date: train[date].to_numpy()[order] for date in dates})
    whole, without, of_shuffled = (MADEDensity(random_state=seed) for _ in range(3))
    took = (
        seconds(lambda: whole.fit(train)),
        seconds(lambda: without.fit(train[others])),
        seconds(lambda: of_shuffled.fit(shuffled)),
    )
    apart = without.score_samples(test[others]) + sum(
        MADEDensity(random_state=seed).fit(train[[date]]).score_samples(test[[date]])
        for date in dates
    )
    drawn = whole.sample(N_DRAWN, random_state=seed)[dates]
    off = int((drawn != drawn.apply(lambda own: own.dt.floor(unit))).to_numpy().sum())
    epochs = whole.n_iter_ / without.n_iter_
    return took, epochs, whole.score_samples(test) - apart, off


def main():
    """Print a line for each table, and keep them for the documentation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=list(TABLES), choices=TABLES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    lines = []
    for name in arguments.only:
        with threads(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = [compare(name, seed) for seed in arguments.seeds]
        times = np.array([took for took, *_ in found])
        gains = np.array([gain for _, _, gain, _ in found])
        lines.append(
            {
                "table": name,
                "seconds": round(float(np.median(times[:, 0])), 1),
                "ratio": round(float(np.median(times[:, 0] / times[:, 1])), 2),
                "epochs": round(float(np.median([epochs for _, epochs, *_ in found])), 2),
                "shuffled": round(float(np.median(times[:, 2] / times[:, 1])), 2),
                "gain": round(float(gains.mean()), 2),
                "error": round(float(gains.std() / np.sqrt(gains.size)), 2),
                "off": sum(off for *_, off in found),
            }
        )
        print(pd.DataFrame(lines).to_string(index=False), flush=True)
    if len(lines) == len(TABLES):
        pd.DataFrame(lines).to_csv(TABLE, index=False, lineterminator="\r\n")


if __name__ == "__main__":
    main()
