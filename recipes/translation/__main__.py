"""The command line: `python -m recipes.translation --help`."""

import os
import sys

from ..quiet import start_tensorflow


def main(arguments=None, program="python -m recipes.translation"):
    """Runs one command; returns its exit code."""
    try:
        start_tensorflow()
        from .commands import run_command

        return run_command(arguments, program)
    except KeyboardInterrupt:
        print(f"\n{program}: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # who reads, as `head` does, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
