"""Time and memory of MADEDensity, beside other packages and beside itself.

    python benchmarks/speed.py                      # everything that has not been measured
    python benchmarks/speed.py --only sample score  # some parts
    python benchmarks/speed.py --only fit --again   # measure anew
    python benchmarks/speed.py --report             # the table of what has been measured
    python benchmarks/speed.py --small --repeat 1   # does it run? Writes no table

Each case is kept by store.py. Calls that are compared are timed in turn, in one process;
figures are medians of `--repeat` rounds. The table is printed as Markdown and written to
docs/benchmarks, with a picture of growth. Parts: prediction.py (sample, score, conditional),
training_time.py (fit, members), memory.py, growth.py, startup.py (import). Needs the extra
`benchmark`.
"""

import growth
import memory
import prediction
import startup
import training_time
from report import DOCS
from runs import measure, parser_of

PARTS = {
    "sample": prediction.sample_cases,
    "score": prediction.score_cases,
    "conditional": prediction.conditional_cases,
    "fit": training_time.fit_cases,
    "members": training_time.members_cases,
    "memory": memory.cases,
    "growth": growth.cases,
    "import": startup.cases,
}


def main():
    """Measure what is asked for, then write the table and the picture of growth."""
    parser = parser_of(__doc__, PARTS, repeat=5)
    parser.add_argument("--threads", type=int, default=2, help="of torch and of numpy's BLAS")
    parser.add_argument("--most-rows", type=int, default=300_000, help="of growth")
    options = parser.parse_args()
    found = measure("speed", PARTS, options)
    curves = [found.get(("growth", case), {}).get("curves") for case in ("rows", "columns")]
    if all(curves) and not options.small:
        growth.draw(*curves, DOCS / "_static" / "speed.png")


if __name__ == "__main__":
    main()
