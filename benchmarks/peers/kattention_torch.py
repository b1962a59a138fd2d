"""kattention on the torch backend: the plain loop, one operation at a time."""

import os

os.environ["KERAS_BACKEND"] = "torch"

from device import torch_peak
from kattention_step import build
from worker import serve

serve(build, torch_peak)
