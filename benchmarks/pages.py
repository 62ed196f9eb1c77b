"""The pages of "How well it does" and "Choosing settings": one command measures a page.

    python benchmarks/pages.py anomalies      # measure what is missing, write the page's tables
    python benchmarks/pages.py                # all pages
    python benchmarks/pages.py --report       # write the tables of what has been measured
    python benchmarks/pages.py --check        # are the tables what the runs say?

A page is one of PAGES; its scripts say what they measure and take options of their own, for one
table or one method. What has been measured is not measured again (store.py), so that a command
that was stopped goes on where it was. Tables are written to docs/benchmarks, and with them a
sentence for each page: commits, versions, seeds, machine.
"""

import argparse
import importlib
import pathlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import front
import report
from store import FOLDER, measured


@dataclass(frozen=True)
class Page:
    """Scripts with their options, and the protocols by which their runs are kept."""

    scripts: tuple[str, ...]
    protocols: tuple[str, ...]


PAGES = {
    "density": Page(
        ("density.py", "learning_curve.py", "calibration.py"),
        ("continuous", "few-columns", "red-wine", "half", "learning-curve", "calibration"),
    ),
    "mixed": Page(("mixed.py",), ("mixed",)),
    "binary": Page(("binary.py",), ("binary", "mnist")),
    "conditionals": Page(("conditional.py",), ("conditional",)),
    "completion": Page(("imputation.py",), ("imputation",)),
    "synthetic": Page(("synthetic.py",), ("synthetic",)),
    "anomalies": Page(
        (
            "anomaly.py",
            "anomaly_mixed.py",
            "anomaly_calibration.py",
            "anomaly_views.py",
            "anomaly_choice.py",
        ),
        (
            "anomaly-clean",
            "anomaly-contaminated",
            "anomaly-mixed",
            "anomaly-calibration",
            "anomaly-discoveries",
            "anomaly-views",
            "anomaly-choice",
        ),
    ),
    "settings": Page(("settings.py",), ("settings",)),
}


def measure(page):
    """Run the scripts of a page, each of which measures what is missing."""
    for script in PAGES[page].scripts:
        subprocess.run([sys.executable, str(FOLDER / script)], check=True)


def write_reports(pages=PAGES):
    """Write the tables of pages, and how they were measured."""
    for page in pages:
        for script in PAGES[page].scripts:
            importlib.import_module(script.removesuffix(".py")).write_reports()
        runs = [
            run for protocol in PAGES[page].protocols for run in measured(protocol).values()
        ]
        if runs:
            (report.DOCS / "benchmarks" / f"{page}.txt").write_text(report.how(runs))
    front.write_reports()


def differing():
    """Return the names of tables that are not what the runs say."""
    docs = report.DOCS
    with tempfile.TemporaryDirectory() as folder:
        report.DOCS, report.PICTURES = pathlib.Path(folder), False
        (report.DOCS / "benchmarks").mkdir()
        write_reports()
        made = sorted((report.DOCS / "benchmarks").iterdir())
        shown = {path.name: docs / "benchmarks" / path.name for path in made}
        return [
            path.name
            for path in made
            if not shown[path.name].exists()
            or shown[path.name].read_bytes() != path.read_bytes()
        ]


def main():
    """Measure, write or check the pages asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", metavar="page", help=", ".join(PAGES))
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--check", action="store_true", help="run and write nothing")
    chosen = parser.parse_args()
    unknown = set(chosen.pages) - set(PAGES)
    if unknown:
        parser.error(f"there is no page {', '.join(unknown)}: choose from {', '.join(PAGES)}")
    if chosen.check:
        wrong = differing()
        raise SystemExit(f"Not what the runs say: {', '.join(wrong)}" if wrong else 0)
    for page in () if chosen.report else chosen.pages or PAGES:
        measure(page)
    write_reports(chosen.pages or PAGES)


if __name__ == "__main__":
    main()
