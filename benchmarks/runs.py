"""The cases of a benchmark: each measured, kept in a file, and put in one table.

A benchmark has parts, and a part has cases: names of functions that return facts. The rows of
a case (clock.py) are under "rows". A case that has been measured is not measured again.
"""

import argparse
import os
import pathlib
import platform
import time
from importlib.metadata import PackageNotFoundError, version

from clock import duration, threads
from report import DOCS, write
from store import RESULTS, load_facts, save_facts

HEADER = ["line", "measured", "bound", "holds"]
PACKAGES = ("skmade", "numpy", "scikit-learn", "torch", "zuko", "nflows")


def parser_of(text, parts, repeat):
    """Options that all have in common, described by the first line of a text."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=parts, default=list(parts))
    parser.add_argument("--cases", nargs="*", help="of a part, as the files in results")
    parser.add_argument("--repeat", type=int, default=repeat)
    parser.add_argument("--small", action="store_true", help="a tenth of the rows, no table")
    parser.add_argument("--again", action="store_true", help="measure what has been measured")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    return parser


def measure(name, parts, options):
    """Measure what is asked for and has not been, and write the table of all there is.

    Returns the facts of each part and case that has been measured.
    """
    for part in () if options.report else options.only:
        for case, call in parts[part](options).items():
            path = path_of(name, part, case, options)
            chosen = not options.cases or case in options.cases
            if chosen and (options.again or not path.exists()):
                run(path, call, options)
    found = {
        (part, case): load_facts(path_of(name, part, case, options))
        for part, cases in parts.items()
        for case in cases(options)
    }
    found = {key: facts for key, facts in found.items() if facts}
    if found and not options.small:
        report(name, found.values())
    return found


def path_of(name, part, case, options):
    """Return the file that holds what was measured of a case."""
    return RESULTS / (f"{name}-small" if options.small else name) / part / f"{case}.json"


def run(path, call, options):
    """Measure a case, keep it and print its rows."""
    begin = time.perf_counter()
    with threads(options.threads):
        facts = call()
    facts |= {"seconds": time.perf_counter() - begin, "setup": setup(options)}
    facts["repeat"] = options.repeat
    save_facts(path, facts)
    for row in facts["rows"]:
        bound = f" [{row['bound']}: {row['holds']}]" if row["bound"] else ""
        print(f"{row['line']}: {row['measured']}{bound}", flush=True)


def report(name, found):
    """Print the table of what has been measured and write it, with how."""
    rows = [[row[key] for key in HEADER] for facts in found for row in facts["rows"]]
    write(name, [HEADER, *rows])
    setups = dict.fromkeys(facts["setup"] for facts in found)
    total = duration(sum(facts["seconds"] for facts in found))
    rounds = sorted({facts["repeat"] for facts in found})
    text = (
        f"Measured on {'; and on '.join(setups)}. Medians of "
        f"{' or '.join(map(str, rounds))} rounds. In all it took {total}.\n"
    )
    with open(DOCS / "benchmarks" / f"{name}.md", "a") as file:
        file.write(f"\n{text}")
    (DOCS / "benchmarks" / f"{name}.txt").write_text(text)


def setup(options):
    """Machine, versions and settings, in words."""
    packages = ", ".join(filter(None, map(version_of, PACKAGES)))
    return (
        f"{platform.machine()} ({processor()}, {os.cpu_count()} cores), "
        f"{options.threads} threads; "
        f"Python {platform.python_version()}, {packages}; seeds from 0"
    )


def version_of(package):
    """Name a package and its version, or nothing where it is not installed."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""


def processor():
    """Name the processor, as far as the system does."""
    lines = pathlib.Path("/proc/cpuinfo")
    for line in lines.read_text().splitlines() if lines.exists() else ():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()
