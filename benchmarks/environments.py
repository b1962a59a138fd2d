"""Peers in environments of their own, made once under `.benchmarks/`."""

import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".benchmarks"
REQUIREMENTS = {
    "torch": ["torch==2.13.0", "numpy"],
    "jax": ["jax==0.10.2", "keras==3.15.1", "numpy"],
    "tfa": ["tensorflow-cpu==2.15.1", "tensorflow-addons==0.23.0"],
}


def python_of(name):
    """Returns the interpreter of an environment, made when it is first asked for.

    `None` is this one. Without the packages, at an index or for this machine,
    the answer is `None` too, after a line that says so.
    """
    if name is None:
        return sys.executable
    folder = FOLDER / name
    python, done = folder / "bin" / "python", folder / "installed"
    if done.exists():
        return str(python)
    print(f"installing {' '.join(REQUIREMENTS[name])}", file=sys.stderr)
    venv.create(folder, with_pip=True, clear=True)
    install = [python, "-m", "pip", "install", "--quiet", *REQUIREMENTS[name]]
    if subprocess.run(install).returncode:
        print(f"left out: {name} cannot be installed here", file=sys.stderr)
        return None
    done.touch()
    return str(python)
