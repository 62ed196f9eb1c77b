"""Time and memory of MADEDensity, beside other packages and beside itself.

    python benchmarks/speed.py                      # everything that has not been measured
    python benchmarks/speed.py --only sample score  # some parts
    python benchmarks/speed.py --only fit --again   # measure anew
    python benchmarks/speed.py --report             # the table of what has been measured
    python benchmarks/speed.py --small --repeat 1   # does it run? Writes no table

Each case is kept in benchmarks/results/speed, so that a benchmark that was stopped goes on
where it was. Calls that are compared are timed in turn, in one process; figures are medians of
`--repeat` rounds. The table is printed as Markdown and written to docs/benchmarks, with a
picture of growth. Parts: prediction.py (sample, score), training_time.py (fit, members),
memory.py, growth.py, startup.py (import). Needs the extra `benchmark`.
"""

import argparse
import os
import pathlib
import platform
import time
from importlib.metadata import version

import growth
import memory
import prediction
import startup
import training_time
from clock import duration, threads
from report import DOCS, write
from store import RESULTS, load_facts, save_facts

PARTS = {
    "sample": prediction.sample_cases,
    "score": prediction.score_cases,
    "fit": training_time.fit_cases,
    "members": training_time.members_cases,
    "memory": memory.cases,
    "growth": growth.cases,
    "import": startup.cases,
}
HEADER = ["line", "measured", "bound", "holds"]
PACKAGES = ("skmade", "numpy", "scikit-learn", "torch", "zuko", "nflows")


def path_of(part, case, options):
    """Return the file that holds what was measured of a case."""
    return RESULTS / ("speed-small" if options.small else "speed") / part / f"{case}.json"


def processor():
    """Name the processor, as far as the system does."""
    lines = pathlib.Path("/proc/cpuinfo")
    for line in lines.read_text().splitlines() if lines.exists() else ():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def setup(options):
    """Machine, versions and settings, in words."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{platform.machine()} ({processor()}, {os.cpu_count()} cores), "
        f"{options.threads} threads; "
        f"Python {platform.python_version()}, {packages}; seeds from 0"
    )


def run(part, case, measure, options):
    """Measure a case, unless that has been done, and print its rows."""
    path = path_of(part, case, options)
    if path.exists() and not options.again:
        return
    begin = time.perf_counter()
    with threads(options.threads):
        facts = measure()
    facts |= {"seconds": time.perf_counter() - begin, "setup": setup(options)}
    facts["repeat"] = options.repeat
    save_facts(path, facts)
    for row in facts["rows"]:
        bound = f" [{row['bound']}: {row['holds']}]" if row["bound"] else ""
        print(f"{row['line']}: {row['measured']}{bound}", flush=True)


def report(options):
    """Print the table of what has been measured and write it, with how and the picture."""
    found = {
        (part, case): load_facts(path_of(part, case, options))
        for part, cases in PARTS.items()
        for case in cases(options)
    }
    found = {key: facts for key, facts in found.items() if facts}
    rows = [[row[key] for key in HEADER] for facts in found.values() for row in facts["rows"]]
    if options.small or not rows:
        return
    write("speed", [HEADER, *rows])
    setups = dict.fromkeys(facts["setup"] for facts in found.values())
    total = duration(sum(facts["seconds"] for facts in found.values()))
    rounds = sorted({facts["repeat"] for facts in found.values()})
    text = (
        f"Measured on {'; and on '.join(setups)}. Medians of "
        f"{' or '.join(map(str, rounds))} rounds. In all it took {total}.\n"
    )
    with open(DOCS / "benchmarks" / "speed.md", "a") as file:
        file.write(f"\n{text}")
    (DOCS / "benchmarks" / "speed.txt").write_text(text)
    curves = [found.get(("growth", case), {}).get("curves") for case in ("rows", "columns")]
    if all(curves):
        growth.draw(*curves, DOCS / "_static" / "speed.png")


def main():
    """Measure what is asked for, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--cases", nargs="*", help="of a part, as the files in results/speed")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="of torch and of numpy's BLAS")
    parser.add_argument("--small", action="store_true", help="a tenth of the rows, no table")
    parser.add_argument("--most-rows", type=int, default=300_000, help="of growth")
    parser.add_argument("--again", action="store_true", help="measure what has been measured")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    options = parser.parse_args()
    for part in () if options.report else options.only:
        for case, measure in PARTS[part](options).items():
            if not options.cases or case in options.cases:
                run(part, case, measure, options)
    report(options)


if __name__ == "__main__":
    main()
