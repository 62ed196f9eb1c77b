"""The command `skmade`: its errors and its exit codes.

What a sub-command needs is imported when it runs: asking for help is quick.
"""

import argparse
import os
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ._cli.options import build_parser

# As shells count them: 128 and the number of the signal, SIGINT or SIGPIPE.
INTERRUPTED, PIPE_CLOSED = 130, 141

# What the extra `cli` installs, and `import` names alike.
EXTRA_PACKAGES = ("pandas", "skops")


def find_output_problem(output: Path, option: str = "--output") -> str | None:
    """Say why a file can't be written there, if so: before the work, not after it."""
    folder = output.parent
    if not folder.is_dir():
        return f"the folder {str(folder)!r} of {option} does not exist"
    if output.is_dir():
        return f"{option} {str(output)!r} is a folder; give a file name"
    if not os.access(output if output.exists() else folder, os.W_OK):
        return f"{option} {str(output)!r} can't be written"
    return None


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Refuse a file that can't be written, and a model that would be overwritten."""
    if arguments.command == "fit":
        problem = find_output_problem(arguments.model, "MODEL")
        if problem is None and arguments.model.exists() and not arguments.force:
            problem = f"MODEL {str(arguments.model)!r} exists; --force overwrites it"
    else:
        output = arguments.output
        problem = None if output is None else find_output_problem(output)
    if problem is not None:
        raise ValueError(problem)


def run(arguments: argparse.Namespace) -> None:
    """Run a sub-command."""
    _check_outputs(arguments)
    if arguments.command == "demo":
        from ._cli.demo import demo

        demo(arguments.output, arguments.seed)
        return
    from ._cli.commands import fit, sample, score

    {"fit": fit, "score": score, "sample": sample}[arguments.command](arguments)


def show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning as one line."""
    print(f"skmade: warning: {_one_line(message)}", file=sys.stderr)


def _one_line(message: object) -> str:
    # Blanks within a line may be those of a name, which an option has to repeat.
    return re.sub(r"\s*[\n\r\v\f]\s*", " ", str(message)).strip() or type(message).__name__


def _describe(error: Exception) -> str:
    """Say in one line what went wrong."""
    if isinstance(error, ModuleNotFoundError):
        return f'{error.name} is missing: pip install "skmade[cli]"'
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return _one_line(error)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            # Users can act on the package's own warnings, not on those to developers.
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = show_warning
            run(arguments)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Who read the output has left. Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except (ValueError, TypeError, OSError, OverflowError, MemoryError, ImportError) as error:
        if isinstance(error, ImportError) and error.name not in EXTRA_PACKAGES:
            raise
        print(f"skmade: error: {_describe(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
