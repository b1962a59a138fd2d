"""`keras.layers.AdditiveAttention` with the projections that it lacks."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import keras
import tensorflow as tf
from attention_step import build_step
from worker import serve


def build(case):
    project_query = keras.layers.Dense(case["units"], use_bias=False)
    project_key = keras.layers.Dense(case["units"], use_bias=False)
    layer = keras.layers.AdditiveAttention()

    def attend(query, value):
        return layer([project_query(query), value, project_key(value)], training=True)

    return build_step(tf, case, attend)


serve(build)
