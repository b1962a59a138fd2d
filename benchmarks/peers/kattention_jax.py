"""kattention on the JAX backend: the plain loop, compiled by Keras."""

import os

os.environ["KERAS_BACKEND"] = "jax"
# Programs that take turns share one accelerator.
os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"

from device import jax_peak
from kattention_step import build
from worker import serve

serve(build, jax_peak)
