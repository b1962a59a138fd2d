"""The command line: `python -m recipes.translation --help`."""

import sys

from ..quiet import start_tensorflow


def main(arguments=None, program="python -m recipes.translation"):
    """Runs one command; returns its exit code."""
    start_tensorflow()
    from .commands import run_command

    return run_command(arguments, program)


if __name__ == "__main__":
    sys.exit(main())
