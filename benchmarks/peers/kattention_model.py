"""kattention, as the recipes use it."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

from kattention_network import network
from keras_fit import fitting
from worker import serve

from kattention.training import TokenCrossentropy
from recipes.translation.allocator import keep_freed_memory


def build(case):
    keep_freed_memory()
    model = network(case, packed=True)
    model.compile("adam", TokenCrossentropy(), jit_compile=False)
    return fitting(model, case)


serve(build)
