"""The recipe's model as its `small` preset trains it."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

from dataclasses import replace

import kattention_network  # noqa: F401, finds kattention
import keras
from keras_fit import fitting
from worker import serve

from kattention.training import TokenCrossentropy
from recipes.translation.allocator import keep_freed_memory
from recipes.translation.model import build_model
from recipes.translation.options import PRESETS


def build(case):
    keep_freed_memory()
    keras.utils.set_random_seed(1)
    preset = replace(PRESETS["small"], bfloat16=case["bfloat16"])
    model = build_model(preset, case["vocabulary"], case["vocabulary"])
    optimizer = keras.optimizers.Adam(
        preset.learning_rate, global_clipnorm=preset.clip_norm
    )
    loss = TokenCrossentropy(preset.label_smoothing)
    model.compile(optimizer, loss, jit_compile=False)
    return fitting(model, case)


serve(build)
