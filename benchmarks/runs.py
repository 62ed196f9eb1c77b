"""The cases of a benchmark of time: each measured, kept, and put in one table.

A benchmark has parts, and a part has cases: names of functions that return facts. The rows of
a case (clock.py) are under "rows". A case that has been measured is not measured again.
"""

import argparse
import time

from clock import threads
from report import DOCS, how, write
from store import is_done, keep, measured

HEADER = ["line", "measured", "bound", "holds"]
PACKAGES = ("skmade", "zuko", "nflows")
SEED = 0


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
    cases = {part: of_options(options) for part, of_options in parts.items()}
    for part in () if options.report else options.only:
        for case, call in cases[part].items():
            chosen = not options.cases or case in options.cases
            again = options.again or options.small
            if chosen and (again or not is_done(name, part, case, SEED, ours=True)):
                run(name, part, case, call, options)
    kept = measured(name)
    found = {
        (part, case): kept[part, case, SEED]
        for part in parts
        for case in cases[part]
        if (part, case, SEED) in kept
    }
    if not options.small:
        write(name, [HEADER, *rows_of(found.values())])
        if found:
            (DOCS / "benchmarks" / f"{name}.txt").write_text(how(found.values()))
    return found


def run(name, part, case, call, options):
    """Measure a case, print its rows and keep it, if it is of full size."""
    begin = time.perf_counter()
    with threads(options.threads):
        facts = call()
    facts |= {"seconds": time.perf_counter() - begin, "repeat": options.repeat}
    if not options.small:
        keep(name, part, case, SEED, facts, PACKAGES)
    for row in facts["rows"]:
        bound = f" [{row['bound']}: {row['holds']}]" if row["bound"] else ""
        print(f"{row['line']}: {row['measured']}{bound}", flush=True)


def rows_of(found):
    """Return the rows of the table."""
    return [[row[key] for key in HEADER] for facts in found for row in facts["rows"]]
