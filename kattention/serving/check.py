"""Loads an export in a fresh process and translates a string with it."""

import json
import subprocess
import sys

from kattention.types import FilePath

# It does not import kattention, because a server has none.
_PROGRAM = """
import json, sys
import tensorflow as tf
import tensorflow_text
model = tf.saved_model.load(sys.argv[1])
found = model.signatures["serving_default"](text=tf.constant([sys.argv[2]]))
text = found["translation"].numpy()[0].decode()
print(json.dumps([text, float(found["score"].numpy()[0])]))
"""


def check(path: FilePath, text: str) -> tuple[str, float]:
    """Translates `text` with the export at `path` in a fresh process.

    Args:
        path: The folder of one version.
        text: A string.

    Returns:
        `(translation, score)`.

    Raises:
        RuntimeError: The export could not be loaded or run.
    """
    process = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(path), text],
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        reason = (process.stderr.strip() or "no message").splitlines()[-1]
        raise RuntimeError(f"the export at {path} does not load: {reason}")
    translation, score = json.loads(process.stdout.splitlines()[-1])
    return translation, score
