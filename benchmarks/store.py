"""What has been measured: a line of JSON for each run, kept in the repository.

measured/<protocol>.jsonl has the runs of a protocol: table, method and seed, the facts, and the
conditions that they hang on. So a benchmark that was stopped goes on where it was, and tables
are made of what has been run. Of two lines of one run the later counts. What skmade has
estimated is measured again once its code has changed, and what others have is not.
"""

import json
import os
import pathlib
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version

FOLDER = pathlib.Path(__file__).parent
MEASURED = FOLDER / "measured"
# Of skmade, but these: no estimate hangs on them.
ESTIMATORS = (
    "skmade",
    ":(exclude)skmade/metrics",
    ":(exclude)skmade/metrics.py",
    ":(exclude)skmade/inspection",
    ":(exclude)skmade/_cli",
)
PACKAGES = ("numpy", "scipy", "scikit-learn", "torch")


def is_ours(method):
    """Whether a method is of skmade, by its name."""
    return method.startswith("MADE")


def measured(protocol):
    """Return the facts of all runs, by table, method and seed."""
    path = MEASURED / f"{protocol}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    runs = [json.loads(line) for line in lines]
    return {(run["table"], run["method"], run["seed"]): run for run in runs}


def lines_of(runs, table, method):
    """Return the runs of a method: of single seeds, or their mean until there are as many."""
    found = [own for (t, m, _), own in runs.items() if (t, m) == (table, method)]
    single = [own for own in found if "n_seeds" not in own]
    several = [own for own in found if "n_seeds" in own]
    return single if len(single) >= n_seeds(several) else several


def n_seeds(lines):
    """Count the seeds of lines, of which one may have the mean of several."""
    return sum(own.get("n_seeds", 1) for own in lines)


def is_done(protocol, table, method, seed, ours=None):
    """Whether a run has been measured, those of skmade (`ours`) by the code as it is."""
    facts = measured(protocol).get((table, method, seed))
    ours = is_ours(method) if ours is None else ours
    return facts is not None and (not ours or facts["commit"] == commit())


def keep(protocol, table, method, seed, facts, packages=()):
    """Keep the facts of a run, plain numbers, and its conditions; return both."""
    run = {"table": table, "method": method, "seed": seed} | facts | conditions(packages)
    MEASURED.mkdir(exist_ok=True)
    # One write of one line: two processes may keep their runs at once.
    with open(MEASURED / f"{protocol}.jsonl", "a") as file:
        file.write(json.dumps(run) + "\n")
    return run


def conditions(packages=()):
    """Return what a run's figures and seconds hang on."""
    import torch  # here, as what only reads runs needs none

    return {
        "commit": commit(),
        "threads": torch.get_num_threads(),
        "machine": f"{platform.machine()} ({processor()}, {os.cpu_count()} cores)",
        "versions": {"Python": platform.python_version()}
        | {name: found for name in (*PACKAGES, *packages) if (found := version_of(name))},
    }


@cache
def commit():
    """Return the commit that last changed what estimates, with + if it has changed since."""
    last = git("log", "-1", "--format=%h", "--", *ESTIMATORS)
    return last + "+" * bool(git("status", "--porcelain", "--", *ESTIMATORS))


def git(*arguments):
    """Return what git says of this checkout."""
    command = ["git", "-C", str(FOLDER.parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def version_of(package):
    """Return the version of a package, or nothing where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def processor():
    """Name the processor, as far as the system does."""
    lines = pathlib.Path("/proc/cpuinfo")
    for line in lines.read_text().splitlines() if lines.exists() else ():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()
